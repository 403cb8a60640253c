/** Times of the log's tick records, packed by minutes: see `migrations/030_history.sql`. */
import { MINUTE_US } from "../lib/time.ts";
import { firstTick } from "../log/id-clock.ts";

const AHEAD = 0x80000000;

/** A tick as it is added to its minute. */
export function packTick(receivedUs: number, tick: number): { minute: number; bytes: Buffer } {
  const minute = Math.floor(receivedUs / MINUTE_US);
  const within = receivedUs - minute * MINUTE_US;
  if (tick === firstTick(0, receivedUs)) {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(within);
    return { minute, bytes };
  }
  const bytes = Buffer.alloc(12);
  bytes.writeUInt32BE(within + AHEAD);
  bytes.writeBigInt64BE(BigInt(tick), 4);
  return { minute, bytes };
}

/** The ticks of a minute, in the order of the log. */
export function unpackTicks(minute: number, bytes: Buffer, take: (receivedUs: number, tick: number) => void): void {
  for (let at = 0; at < bytes.length; ) {
    const word = bytes.readUInt32BE(at);
    const receivedUs = minute * MINUTE_US + (word >= AHEAD ? word - AHEAD : word);
    at += 4;
    if (word < AHEAD) take(receivedUs, firstTick(0, receivedUs));
    else {
      take(receivedUs, Number(bytes.readBigInt64BE(at)));
      at += 8;
    }
  }
}
