/** Times on the command line: one parser for all options, and the way to the contracts and back without losing a microsecond. */
import { create } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { InvalidArgumentError } from "commander";
import { readTime } from "../formats/time.ts";

/** Parser of a time option, for commander. Microseconds since 1970. */
export function timeOption(text: string): number {
  try {
    return readTime(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

export function timestampOf(us: number): Timestamp {
  const seconds = Math.floor(us / 1e6);
  return create(TimestampSchema, { seconds: BigInt(seconds), nanos: (us - seconds * 1e6) * 1000 });
}

export function microsecondsOf({ seconds, nanos }: Timestamp): number {
  return Number(seconds) * 1e6 + Math.floor(nanos / 1000);
}
