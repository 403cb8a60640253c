import { quoted } from "../../../lib/quoted.ts";
import { didYouMean } from "../../../lib/suggest.ts";
import { MAX_TEXT_CHARACTERS } from "../../channels/limits.ts";
import type { Text } from "../../templates/template.ts";
import { PAGERDUTY_SEVERITIES, type PagerDutyConfig } from "../config.ts";
import type { Global } from "./global.ts";
import { HTTP_CHANNEL_NAMES, readHttpChannel, readTexts, requiredSecret } from "./http-channel.ts";
import { readSecret } from "./secret.ts";
import { urlTrouble } from "./troubles.ts";
import type { Known, Value } from "./value.ts";

const PAGERDUTY: Known = {
  of: "an event of PagerDuty",
  names: [
    ...["routing_key", "routing_key_file", "url", "url_file", "severity", "class", "component", "group"],
    ...["client", "client_url", "description", "details", "source", "images", "links", ...HTTP_CHANNEL_NAMES],
  ],
  later: ["service_key", "service_key_file"],
  instead: "it is of the API before this one: write the routing_key of an integration with Events API v2.",
};
const IMAGE: Known = { of: "an image", names: ["src", "href", "alt"] };
const LINK: Known = { of: "a link", names: ["href", "text"] };
const EVENTS_URL = "https://events.pagerduty.com/v2/enqueue";

export function readPagerDuty(value: Value, global: Global): PagerDutyConfig<Text> | undefined {
  const fields = value.fields(PAGERDUTY);
  if (fields === undefined) return undefined;
  const routingKey = requiredSecret(fields, "routing_key");
  const hasUrl = fields.get("url") !== undefined || fields.get("url_file") !== undefined;
  const url = hasUrl ? readSecret(fields, "url", urlTrouble) : (global.pagerDutyUrl ?? { value: EVENTS_URL });
  const severity = readSeverity(fields.get("severity"));
  const texts = readTexts(fields, {
    ...{ client: "client", clientUrl: "client_url", class: "class", component: "component", group: "group" },
    ...{ description: "description", source: "source" },
  });
  const images = readAll(fields.get("images"), IMAGE, { src: "src", href: "href", alt: "alt" });
  const links = readAll(fields.get("links"), LINK, { href: "href", text: "text" });
  const http = readHttpChannel(fields, { global, sendResolved: true });
  return (
    url &&
    routingKey && {
      kind: "pagerduty",
      url,
      routingKey,
      ...(severity && { severity }),
      ...texts,
      ...readDetails(fields.get("details")),
      ...(images.length > 0 && { images }),
      ...(links.length > 0 && { links }),
      ...http,
    }
  );
}

function readAll<K extends string>(value: Value | undefined, known: Known, names: Readonly<Record<K, string>>) {
  return (value?.items() ?? []).flatMap((item) => {
    const fields = item.fields(known);
    return fields === undefined ? [] : [readTexts(fields, names)];
  });
}

function readDetails(value: Value | undefined): { details?: Record<string, Text> } {
  if (value === undefined) return {};
  const options = { mode: "text", most: MAX_TEXT_CHARACTERS, isWhole: false } as const;
  return { details: Object.fromEntries(value.entries().map(([name, each]) => [name, each.templated(options) ?? ""])) };
}

function readSeverity(value: Value | undefined): Text | undefined {
  const text = value?.templatedLine();
  if (value === undefined || typeof text !== "string" || PAGERDUTY_SEVERITIES.includes(text)) return text;
  return value.problem(
    `${quoted(text)} is no severity of PagerDuty${didYouMean(text, PAGERDUTY_SEVERITIES) || hint()}`,
  );
}

function hint(): string {
  return `: write one of ${PAGERDUTY_SEVERITIES.join(", ")}, or remove it.`;
}
