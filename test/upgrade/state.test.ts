/**
 * State that earlier versions of the detector saved, as their programs made it: this version reads it, keeps what was learnt and what
 * was open, and goes on. A file is added when the state changes, and none is ever edited.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createDetector, createScoreBatch, REASONS } from "../../server/detect/index.ts";
import { PartitionState } from "../../server/scoring/state.ts";

interface Saved {
  readonly version: string;
  readonly asOf: number;
  readonly bytes: string;
  readonly sensors: readonly {
    readonly sensorId: string;
    readonly lastUs: number;
    readonly lastValue: number;
    readonly lastId: number;
    readonly readings: number;
    /** What that version expected of a reading ten minutes after the newest of all. */
    readonly expected: number;
    readonly band: number;
    readonly episode?: {
      readonly openingReason: number;
      readonly id: number;
      readonly severity: number;
      readonly state: string;
    };
  }[];
}

const folder = join(import.meta.dirname, "state");
const files: Saved[] = readdirSync(folder).map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")));

function load({ asOf, version, bytes }: Saved): PartitionState {
  const state = new PartitionState(createDetector());
  state.sensors.detector.configure("energy", { counter: true });
  const chunk = { chunk: 0, asOf, version, bytes: Buffer.from(bytes, "base64") };
  expect(state.canRead(chunk)).toBe(false);
  expect(state.canMigrate(chunk)).toBe(true);
  state.load(chunk);
  return state;
}

describe.each(files)("state $version", (saved) => {
  const state = load(saved);
  const newestUs = Math.max(...saved.sensors.map(({ lastUs }) => lastUs));

  test.each(saved.sensors)("of the sensor $sensorId is known again", (sensor) => {
    const { sensors } = state;
    const slot = sensors.find(sensor.sensorId)!;
    expect([sensors.lastUs[slot], sensors.lastValue[slot], sensors.lastId[slot]]).toEqual([
      ...[sensor.lastUs, sensor.lastValue, sensor.lastId],
    ]);
    const { readings, batch } = sensors.detector.explain(slot, newestUs + 600e6, 21);
    expect(readings).toBe(sensor.readings);
    expect(batch.expected[0]).toBeCloseTo(sensor.expected, 5);
    // Of the same errors, by this version's threshold.
    expect(batch.band[0]! / sensor.band).toBeGreaterThan(0.5);
    expect(batch.band[0]! / sensor.band).toBeLessThan(2);
    const silent = sensor.episode !== undefined && REASONS[sensor.episode.openingReason] === "silence";
    const episode = silent ? sensors.episodes.silence(slot) : sensors.episodes.get(slot);
    const { id, severity, state: was } = sensor.episode ?? { id: undefined, severity: undefined, state: undefined };
    expect(episode && [episode.id, episode.severity, episode.state]).toEqual(id && [id, severity, was]);
  });

  test("goes on: what was learnt judges, what is saved from now on is this version's and loads alike", () => {
    const { sensors } = state;
    const { detector } = sensors;
    const slot = sensors.find("steady")!;
    const last = saved.sensors[0]!;
    const batch = createScoreBatch(2);
    batch.length = 2;
    batch.slot.fill(slot);
    batch.timeUs.set([last.lastUs + 300e6, last.lastUs + 600e6]);
    batch.value.set([last.expected, 60]);
    detector.score(batch);
    expect([...batch.anomaly]).toEqual([0, 1]);
    const chunk = { chunk: 0, asOf: 78, version: state.version, bytes: sensors.save(0, 78, undefined) };
    const again = new PartitionState(createDetector());
    again.sensors.detector.configure("energy", { counter: true });
    expect(again.canRead(chunk)).toBe(true);
    again.load(chunk);
    const next = last.lastUs + 900e6;
    expect(again.sensors.detector.explain(slot, next, 20)).toEqual(detector.explain(slot, next, 20));
    expect(again.sensors.episodes.open(1)).toEqual(sensors.episodes.open(1));
  });

  test("of other models, other versions or a torn chunk is not taken for it", () => {
    const { asOf, version, bytes } = saved;
    const chunk = { chunk: 0, asOf, version, bytes: Buffer.from(bytes, "base64") };
    const [layout, number, model] = version.split("/");
    for (const other of [`${layout}/${number}/other+js`, `${layout}/5/${model}`, `9/${number}/${model}`, "", "x"]) {
      expect(state.canMigrate({ ...chunk, version: other })).toBe(false);
      expect(state.canRead({ ...chunk, version: other })).toBe(false);
    }
    const detector = createDetector();
    expect(() => detector.loadChunk(0, new Uint8Array(100), 1, Number(number))).toThrow(
      /has 100 bytes of state, wanted/,
    );
  });
});
