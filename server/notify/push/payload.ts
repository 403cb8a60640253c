/** What a browser is sent; `web/worker/notification.ts` shows it. */
import { createHash } from "node:crypto";
import type { PushPayload } from "../../../formats/push-payload.ts";
import { type ChatView, chatText, fitting, PLAIN } from "../channels/chat.ts";
import { messageId } from "../channels/http-channel.ts";
import { beginning } from "../channels/texts.ts";
import { isBrokenId } from "../deliveries/broken.ts";
import type { Message, NotifiedAlert } from "../message.ts";
import { FIRST_RECEIVED_ID } from "../received/received-alert.ts";
import { MAX_ACKNOWLEDGED_BY_PUSH, MAX_PUSH_BYTES } from "./limits.ts";

/** Characters of the body where all else does not help. */
const SHORT_BODIES = [600, 300, 100];

export function pushPayload(message: Message): { readonly payload: Buffer; readonly severity: string } {
  let built = fitting(message, (view) => payloadOf(view, message), fits);
  if (!fits(built)) {
    const { runbook: _, ...rest } = built;
    built = rest;
  }
  const { body } = built;
  for (const characters of SHORT_BODIES) if (!fits(built)) built = { ...built, body: beginning(body, characters) };
  return { payload: bytesOf(built), severity: built.severity };
}

function payloadOf(view: ChatView, message: Message): PushPayload {
  const runbook = view.alerts[0]?.runbookUrl;
  return {
    id: messageId(message),
    tag: createHash("sha256").update(message.groupKey).digest("base64url"),
    title: view.subject,
    body: chatText(withoutLinks(view), PLAIN, { links: false }),
    severity: view.severity,
    page: pageOf(message),
    ...(runbook && { runbook }),
    ...acknowledged(message),
  };
}

/** The notification has buttons of its own. */
function withoutLinks(view: ChatView): ChatView {
  return { ...view, alerts: view.alerts.map((alert) => ({ ...alert, actUrl: "" })) };
}

function fits(payload: PushPayload): boolean {
  return bytesOf(payload).length <= MAX_PUSH_BYTES;
}

function bytesOf(payload: PushPayload): Buffer {
  return Buffer.from(JSON.stringify(payload));
}

/** All open alerts of the message, or none: nobody acknowledges what the notification did not count. */
function acknowledged({ alerts, truncatedAlerts }: Message): Pick<PushPayload, "alerts" | "received"> {
  const open = alerts.filter(({ status }) => status === "firing");
  if (truncatedAlerts > 0 || open.length > MAX_ACKNOWLEDGED_BY_PUSH) return { alerts: [], received: [] };
  const ids = open.map(({ id }) => id);
  return { alerts: ids.filter(isOurs), received: ids.filter((id) => isNumber(id) && Number(id) >= FIRST_RECEIVED_ID) };
}

function pageOf({ alerts, truncatedAlerts }: Message): string {
  const [first, ...more] = alerts;
  const isOne = first !== undefined && more.length === 0 && truncatedAlerts === 0;
  return isOne && isOurs(first.id) ? `alerts/${first.id}` : "alerts";
}

function isOurs(id: NotifiedAlert["id"]): boolean {
  return isNumber(id) && !isBrokenId(id) && Number(id) > 0 && Number(id) < FIRST_RECEIVED_ID;
}

function isNumber(id: string): boolean {
  return /^\d{1,16}$/.test(id);
}
