import { quoted } from "../../../lib/quoted.ts";
import { MAX_PAYLOAD_BYTES } from "./limits.ts";
import { type Mapped, type Mapper, type Message, skipped } from "./message.ts";

/**
 * What a message becomes by the first of the mappers that knows its topic. Never throws: the broker would send the message again and again,
 * and no message may stop the others.
 */
export function mapMessage(mappers: readonly Mapper[], message: Message): Mapped {
  const { length } = message.payload;
  if (length > MAX_PAYLOAD_BYTES) {
    return skipped("too_large", `the payload has ${length} bytes: at most ${MAX_PAYLOAD_BYTES} are taken`);
  }
  try {
    for (const mapper of mappers) {
      const mapped = mapper.map(message);
      if (mapped !== undefined) return mapped;
    }
  } catch (error) {
    return skipped("refused", `the message could not be read (${quoted(String(error))})`);
  }
  return skipped("no_rule", "no topic filter and no rule is for this topic");
}
