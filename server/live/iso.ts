import type { Timestamp } from "@bufbuild/protobuf/wkt";

/** ISO 8601 in UTC with six decimals, as REST writes times: what outsiders are told of one reading on different ways is one text. */
export function isoTime({ seconds, nanos }: Timestamp): string {
  const whole = new Date(Number(seconds) * 1_000).toISOString();
  return `${whole.slice(0, -5)}.${String(Math.floor(nanos / 1_000)).padStart(6, "0")}Z`;
}
