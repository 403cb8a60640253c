/** How messages offer to act on an alert. */
import { ACT_FIELD } from "../../lib/link-path.ts";
import type { Message } from "../message.ts";
import type { AlertView, MessageView } from "./view.ts";

/** A link to a page, on which the act named here is offered first. */
export interface ActButton {
  readonly text: string;
  readonly url: string;
  /** A name of `LinkAction`; undefined: none is offered first. */
  readonly act: string | undefined;
}

/** What of the message's links makes them worth something: whoever has one may act. */
export function secretsOfLinks({ alerts }: Message): string[] {
  return alerts.flatMap(({ actUrl }) => (actUrl === undefined ? [] : [actUrl.slice(actUrl.lastIndexOf("/") + 1)]));
}

/** What the link to the page of one alert is called. */
export function actText({ severity }: Pick<AlertView, "severity">): string {
  return severity === "resolved" ? "Right or wrong?" : "Acknowledge or silence";
}

/** For a message about one alert; none for others, where nobody could tell what a button is about. */
export function actButtons({ alerts, more }: Pick<MessageView, "alerts" | "more">): ActButton[] {
  const [alert] = alerts;
  if (alert === undefined || alerts.length > 1 || more !== "" || alert.actUrl === "") return [];
  const button = (text: string, act?: string): ActButton => {
    return { text, act, url: act === undefined ? alert.actUrl : `${alert.actUrl}?${ACT_FIELD}=${act}` };
  };
  if (alert.severity === "resolved") return [button("Right", "right"), button("Wrong", "wrong")];
  return [button("Acknowledge", "acknowledge"), button("Silence 1 h", "silence_1h"), button("More")];
}
