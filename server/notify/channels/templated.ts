/** Channels whose texts are templates: filled in for each message, and the platform's own where that fails. */
import type { Channel, Sent } from "../channel.ts";
import type { ChannelConfig } from "../config/config.ts";
import type { Message } from "../message.ts";
import { Template, type Text } from "../templates/template.ts";
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
  return {
    kind: config.kind,
    async send(message, signal): Promise<Sent> {
      const { config: filled, failures } = filledIn(config, message, nowUs());
      const channel = open(filled);
      try {
        const sent = await channel.send(message, signal);
        return sent.kind === "ok" && failures.length > 0 ? { ...sent, note: noteOf(failures) } : sent;
      } finally {
        await channel.close();
      }
    },
    async close() {},
  };
}

export function hasTemplates(value: unknown): boolean {
  if (value instanceof Template) return true;
  return typeof value === "object" && value !== null && Object.values(value).some(hasTemplates);
}

/** The configuration for one message. What cannot be filled in is left out, as if it were not written. */
export function filledIn(config: ChannelConfig<Text>, message: Message, nowUs: number): Filled {
  const failures: string[] = [];
  const fill = (value: unknown): unknown => {
    if (value instanceof Template) {
      try {
        return value.fill(message, nowUs);
      } catch (error) {
        failures.push((error as Error).message);
        return undefined;
      }
    }
    if (Array.isArray(value)) return value.map(fill);
    if (typeof value !== "object" || value === null) return value;
    const entries = Object.entries(value).map(([name, each]) => [name, fill(each)] as const);
    return Object.fromEntries(entries.filter(([, each]) => each !== undefined));
  };
  return { config: fill(config) as ChannelConfig, failures };
}

function noteOf(failures: readonly string[]): string {
  const what = `a template failed, and a text of the platform was sent instead: ${failures.join("; ")}`;
  return beginning(oneLine(what), MAX_REASON_CHARACTERS);
}
