/** A small call that is resent is answered with the readings that it stored the first time. */

import type { SubmitReadingsRequest } from "../../gen/es/telltale/v1/ingest_pb.ts";
import type { ScoredReading } from "../../gen/es/telltale/v1/reading_pb.ts";
import { toMicros } from "../lib/time.ts";

export type FindReading = (sensorId: string, timeUs: number) => Promise<ScoredReading | undefined>;

export interface Indexed {
  readonly index: number;
  readonly reading: ScoredReading;
}

interface Answered {
  /** Stored by this call. */
  readonly fresh: readonly Indexed[];
  readonly refusals: readonly { readonly index: number }[];
}

/** Readings of the request that an earlier one stored. Those without a time of their own cannot be distinguished from others of the sensor. */
export async function storedBefore(
  request: SubmitReadingsRequest,
  { fresh, refusals }: Answered,
  find: FindReading,
): Promise<Indexed[]> {
  const answered = new Set([...fresh, ...refusals].map(({ index }) => index));
  const wanted = timed(request).filter(({ index }) => !answered.has(index));
  const found = await Promise.all(
    wanted.map(async ({ index, sensorId, timeUs }) => ({ index, reading: await find(sensorId, timeUs) })),
  );
  return found.filter((each): each is Indexed => each.reading !== undefined);
}

interface Timed {
  readonly index: number;
  readonly sensorId: string;
  readonly timeUs: number;
}

/** With their index in the request: readings first, then the points of the blocks. */
function timed({ readings, blocks }: SubmitReadingsRequest): Timed[] {
  const all: Timed[] = readings.flatMap(({ sensorId, observedAt }, index) =>
    observedAt === undefined ? [] : [{ index, sensorId, timeUs: toMicros(observedAt) }],
  );
  let first = readings.length;
  for (const { sensorId, baseTimeUs, timeDeltasUs, values } of blocks) {
    let timeUs = Number(baseTimeUs);
    timeDeltasUs.forEach((delta, i) => {
      timeUs += delta;
      all.push({ index: first + i, sensorId, timeUs });
    });
    // A block without points takes an index too, for its refusal.
    first += Math.max(1, values.length, timeDeltasUs.length);
  }
  return all;
}
