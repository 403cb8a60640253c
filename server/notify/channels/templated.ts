/** Channels whose texts are templates: filled in for each message, and the platform's own where that fails. */
import type { Channel, Sent } from "../channel.ts";
import type { ChannelConfig } from "../config/config.ts";
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
      const sent = await sendBy(filled, message, signal);
      if (sent.kind === "ok" && failures.length > 0) return { ...sent, note: noteOf(failures) };
      if (sent.kind !== "failed" || !READ_BY_PEOPLE.has(config.kind)) return sent;
      // Perhaps because of the texts, as where marks of Telegram are not closed: somebody has to hear of the alert all the same.
      const ours = await sendBy(withoutTemplates(config), message, signal);
      return ours.kind === "ok" ? { ...ours, note: refusedNote(sent.reason) } : sent;
    },
    async close() {},
  };
}

/** Channels that refuse texts which they cannot show. Programs want what they were promised. */
const READ_BY_PEOPLE: ReadonlySet<string> = new Set(["slack", "msteams", "discord", "pagerduty", "telegram"]);

function refusedNote(reason: string): string {
  return beginning(
    oneLine(`the texts of the configuration were refused, and those of the platform sent instead: ${reason}`),
    MAX_REASON_CHARACTERS,
  );
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
  return { config: replaced(config, fill) as ChannelConfig, failures };
}

function withoutTemplates(config: ChannelConfig<Text>): ChannelConfig {
  return replaced(config, () => undefined) as ChannelConfig;
}

function replaced(value: unknown, by: (template: Template) => string | undefined): unknown {
  if (value instanceof Template) return by(value);
  if (Array.isArray(value)) return value.map((each) => replaced(each, by));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([name, each]) => [name, replaced(each, by)] as const);
  return Object.fromEntries(entries.filter(([, each]) => each !== undefined));
}

function noteOf(failures: readonly string[]): string {
  const what = `a template failed, and a text of the platform was sent instead: ${failures.join("; ")}`;
  return beginning(oneLine(what), MAX_REASON_CHARACTERS);
}
