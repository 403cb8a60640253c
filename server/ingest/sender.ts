/** Who a batch is from: what its sender may call itself, and the name by which resent batches are recognised. */
import { TelltaleError } from "../errors.ts";
import { quoted } from "../lib/quoted.ts";
import type { Principal } from "../security/principal.ts";
import type { Batch } from "./accept.ts";

const MAX_PRODUCER_CHARACTERS = 100;
/** Beyond it two sequences would be one number, and the second batch would pass for the first one sent again. */
const MAX_SEQUENCE = BigInt(Number.MAX_SAFE_INTEGER);

/** @throws TelltaleError "invalid" where batches of this sender could not be told apart */
export function checkSender({ producer, sequence }: Pick<Batch, "producer" | "sequence">): void {
  if (producer.length > MAX_PRODUCER_CHARACTERS)
    refuse("producer", `producer has ${producer.length} characters: give at most ${MAX_PRODUCER_CHARACTERS}`);
  if (producer.includes("\0"))
    refuse("producer", `producer ${quoted(producer)} contains a NUL character: leave it out`);
  if (sequence > MAX_SEQUENCE)
    refuse("sequence", `sequence is ${sequence}: give at most ${MAX_SEQUENCE}; begin at 1 and count up`);
  if (sequence > 0n && producer === "")
    refuse("producer", `producer is empty, with sequence ${sequence}: name the sender, or leave the sequence out`);
}

function refuse(field: string, description: string): never {
  throw new TelltaleError("invalid", `${field}: ${description}`, { violations: [{ field, description }] });
}

/**
 * The producer's name in the log. Those who share no sensors share no producers: whoever guessed a name could else make the other's
 * batches pass for resent ones. It goes by the prefix and not by the token, so that a renewed token goes on with its sequences.
 */
export function loggedProducer({ sensorPrefix }: Principal, producer: string): string {
  return producer === "" || sensorPrefix === "" ? producer : `${sensorPrefix}\0${producer}`;
}
