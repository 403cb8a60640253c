import fc from "fast-check";
import { expect, test } from "vitest";
import { toMicros, toTimestamp } from "../../lib/time.ts";
import { type PointBatch, PointBatchBuilder, type Series } from "./points.ts";

const seriesOf = (sensorId: string, location: string): Series => ({
  ...{ sensorId, sensorType: "t", unit: "C", location, attributes: {} },
});
const series = ["a", "b"].flatMap((id) => ["hall", "roof"].map((place) => seriesOf(id, place)));
const points = fc.array(
  fc.record({ series: fc.constantFrom(...series), timeUs: fc.nat(1_000), hasMetadata: fc.boolean() }),
  { maxLength: 60 },
);
type Point = Readonly<Record<"sensorId" | "location", string | undefined>> & { readonly timeUs: number };

/** In the order in which the server takes them. */
function* inOrder({ readings, blocks }: PointBatch): Generator<Point> {
  for (const { sensorId, location, observedAt } of readings)
    yield { sensorId, location, timeUs: toMicros(observedAt!) };
  for (const { sensorId, location, baseTimeUs, timeDeltasUs } of blocks) {
    let timeUs = Number(baseTimeUs);
    for (const deltaUs of timeDeltasUs) {
      timeUs += deltaUs;
      yield { sensorId, location, timeUs };
    }
  }
}

test("batches hold the points of a sensor in the order in which they came, whatever changes beside them", () => {
  fc.assert(
    fc.property(points, (given) => {
      const builder = new PointBatchBuilder();
      const batches: PointBatch[] = [];
      for (const { series, timeUs, hasMetadata } of given) {
        if (builder.isFullFor(series, hasMetadata)) batches.push(builder.take());
        if (hasMetadata) builder.addReading(series, { value: 1, observedAt: toTimestamp(timeUs), metadata: {} }, 2);
        else builder.add(series, timeUs, 1);
      }
      batches.push(builder.take());
      const out = batches.flatMap((batch) => [...inOrder(batch)]);
      for (const id of ["a", "b"]) {
        const wanted = given.filter(({ series }) => series.sensorId === id);
        expect(out.filter(({ sensorId }) => sensorId === id)).toEqual(
          wanted.map(({ series: { sensorId, location }, timeUs }) => ({ sensorId, location, timeUs })),
        );
      }
      // A sensor whose readings have metadata now and then breaks off one batch at the most.
      expect(batches.length).toBeLessThanOrEqual(3);
    }),
  );
});
