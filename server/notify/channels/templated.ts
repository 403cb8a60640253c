/** Channels whose texts are templates: filled in for each message, and the platform's own where that fails. */
import type { Channel, Sent } from "../channel.ts";
import { type ChannelConfig, INCIDENT_KINDS } from "../config/config.ts";
import { distinctAddresses, recipientsTrouble } from "../config/read/addresses.ts";
import type { Message } from "../message.ts";
import { fillingOf, Template, type Text } from "../templates/template.ts";
import { MAX_REASON_CHARACTERS } from "./limits.ts";
import { beginning, oneLine } from "./texts.ts";

interface Filled {
  readonly config: ChannelConfig;
  /** Why texts are not there. */
  readonly failures: readonly string[];
}

/** @param open the channel of texts as they are; nothing is connected before it sends */
export function templated(
  config: ChannelConfig<Text>,
  { open, nowUs }: { readonly open: (config: ChannelConfig) => Channel; readonly nowUs: () => number },
): Channel {
  const sendBy = async (filled: ChannelConfig, message: Message, signal: AbortSignal) => {
    const channel = open(filled);
    try {
      return await channel.send(message, signal);
    } finally {
      await channel.close();
    }
  };
  return {
    kind: config.kind,
    async send(message, signal): Promise<Sent> {
      const { config: filled, failures } = filledIn(config, message, nowUs());
      const nobody = recipientTrouble(filled);
      if (nobody !== undefined) return { kind: "failed", reason: shown([nobody, ...failures].join("; ")) };
      const sent = await sendBy(filled, message, signal);
      if (sent.kind === "ok" && failures.length > 0) return { ...sent, note: noteOf(failures) };
      if (sent.kind !== "failed" || sent.isNotOfTexts || !READ_BY_PEOPLE.has(config.kind)) return sent;
      // Perhaps because of the texts, as where marks of Telegram are not closed: somebody has to hear of the alert all the same.
      const ours = await sendBy(withoutTexts(config, filled), message, signal);
      return ours.kind === "ok" ? { ...ours, note: refusedNote(sent.reason) } : sent;
    },
    async close() {},
  };
}

/** Channels that refuse texts which they cannot show. Programs want what they were promised. */
const READ_BY_PEOPLE: ReadonlySet<string> = new Set([
  ...["slack", "msteams", "discord", "telegram", "pushover", "webex", "mattermost", "rocketchat"],
  ...INCIDENT_KINDS,
]);

function refusedNote(reason: string): string {
  return shown(`the texts of the configuration were refused, and those of the platform sent instead: ${reason}`);
}

export function hasTemplates(value: unknown): boolean {
  if (value instanceof Template) return true;
  return typeof value === "object" && value !== null && Object.values(value).some(hasTemplates);
}

/** The configuration for one message. What cannot be filled in is left out, as if it were not written. */
export function filledIn(config: ChannelConfig<Text>, message: Message, nowUs: number): Filled {
  const failures = [...(message.routeLabelTroubles ?? [])];
  const filling = fillingOf(message, nowUs);
  const fill = (template: Template) => {
    try {
      return template.fill(filling);
    } catch (error) {
      failures.push((error as Error).message);
      return undefined;
    }
  };
  const filled = replaced(config, fill) as ChannelConfig;
  const isMail = filled.kind === "email" && filled.to !== undefined;
  return { config: isMail ? { ...filled, to: distinctAddresses(filled.to) } : filled, failures };
}

/** The platform's own texts, to where the filled-in ones went. */
function withoutTexts(config: ChannelConfig<Text>, filled: ChannelConfig): ChannelConfig {
  const own = replaced(config, () => undefined) as ChannelConfig;
  const places = Object.entries(filled).filter(([name, value]) => PLACES[config.kind]?.includes(name) && value !== "");
  return { ...own, ...Object.fromEntries(places) } as ChannelConfig;
}

/** Settings that say where a message goes, not what it says. */
const PLACES: Readonly<Partial<Record<ChannelConfig["kind"], readonly string[]>>> = {
  slack: ["channel"],
  mattermost: ["channel"],
  rocketchat: ["channel"],
  webex: ["roomId"],
  victorops: ["routingKey"],
  opsgenie: ["responders"],
  pushover: ["device"],
  jira: ["project", "issueType"],
};
/** Those without which there is nowhere to send to, by the names that a configuration has. */
const REQUIRED_PLACES: readonly (readonly [kind: ChannelConfig["kind"], name: string, setting: string])[] = [
  ["victorops", "routingKey", "routing_key"],
  ["webex", "roomId", "room_id"],
  ["jira", "project", "project"],
  ["jira", "issueType", "issue_type"],
];

/** Why nobody can get the message: where one goes has no text of the platform that could stand in its place. */
function recipientTrouble(filled: ChannelConfig): string | undefined {
  // Absent where its template failed.
  const missing = REQUIRED_PLACES.find(
    ([kind, name]) => kind === filled.kind && !new Map(Object.entries(filled)).get(name),
  );
  if (missing !== undefined) return `the message has no ${missing[2]}, because its template failed or made nothing`;
  if (filled.kind !== "email") return undefined;
  // Absent where its template failed.
  const { to } = filled as Partial<typeof filled>;
  if (to === undefined) return "the e-mail has no recipients, because the template of its to failed";
  const trouble = recipientsTrouble(to);
  return trouble && `the e-mail has no recipients, because its to, filled in, is wrong: ${trouble}`;
}

function replaced(value: unknown, by: (template: Template) => string | undefined): unknown {
  if (value instanceof Template) return by(value);
  if (Array.isArray(value)) return value.map((each) => replaced(each, by));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([name, each]) => [name, replaced(each, by)] as const);
  return Object.fromEntries(entries.filter(([, each]) => each !== undefined));
}

function noteOf(failures: readonly string[]): string {
  return shown(`a template failed, and a text of the platform was sent instead: ${failures.join("; ")}`);
}

function shown(text: string): string {
  return beginning(oneLine(text), MAX_REASON_CHARACTERS);
}
