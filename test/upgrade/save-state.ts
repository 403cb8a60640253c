/**
 * `node test/upgrade/save-state.ts > test/upgrade/state/VERSION.json`: saves state as this version of the detector does, for later ones
 * to read. To be run before what is saved changes.
 */
import { Random } from "../../ml/random.ts";
import { createDetector, createScoreBatch } from "../../server/detect/index.ts";
import { PartitionState } from "../../server/scoring/state.ts";

const START_US = Date.UTC(2026, 0, 5) * 1000;
const STEP_US = 300e6;
const ROUNDS = 2652;
const LEVEL = 20;
const SWING = 5;
/** Readings of the young sensor, and of the sensors' last incidents; since when one of them is silent. */
const YOUNG = 40;
const INCIDENT = 7;
const RESOLVED = 4;
const SILENT = 30;
/** An offset, and the silence's score. */
const AS_OF = 77;
const SILENCE_SCORE = 7000;
const SILENCE = 17;

interface Planned {
  readonly sensorId: string;
  readonly sensorType: string;
  /** Value of a round; undefined where there is no reading. */
  readonly value: (round: number, noise: number) => number | undefined;
}

const course = (round: number, noise: number) => LEVEL + SWING * Math.sin((2 * Math.PI * round) / 288) + 0.2 * noise;
const within = (round: number, from: number, count: number) => round >= from && round < from + count;
let total = 1000;

const planned: readonly Planned[] = [
  {
    sensorId: "steady",
    sensorType: "temperature",
    value: (k, noise) => (within(k, 800, 9) ? course(k, noise) - 9 : course(k, noise)),
  },
  { sensorId: "incident", sensorType: "temperature", value: (k, n) => (k >= ROUNDS - INCIDENT ? 60 : course(k, n)) },
  { sensorId: "young", sensorType: "pressure", value: (k, n) => (k >= ROUNDS - YOUNG ? 3 + 0.02 * n : undefined) },
  { sensorId: "resolved", sensorType: "temperature", value: (k, n) => (k >= ROUNDS - RESOLVED ? 50 : course(k, n)) },
  { sensorId: "silent", sensorType: "temperature", value: (k, n) => (k < ROUNDS - SILENT ? course(k, n) : undefined) },
  { sensorId: "meter", sensorType: "energy", value: (k, n) => (total += 2 + Math.sin(k / 40) + 0.1 * Math.abs(n)) },
];

const state = new PartitionState(createDetector());
const { sensors } = state;
const { detector, episodes } = sensors;
detector.configure("energy", { counter: true });
const slots = planned.map(({ sensorId, sensorType }) => sensors.add(sensorId, sensorType, ""));
const random = new Random(7);
const batch = createScoreBatch(1);
batch.length = 1;
let id = 0;
for (let round = 0; round < ROUNDS; round++) {
  planned.forEach(({ value }, k) => {
    const reading = value(round, random.normal());
    if (reading === undefined) return;
    batch.slot[0] = slots[k]!;
    batch.timeUs[0] = START_US + round * STEP_US;
    batch.value[0] = reading;
    detector.score(batch);
    episodes.observe(batch, 0, ++id);
    sensors.lastUs[slots[k]!] = batch.timeUs[0];
    sensors.lastValue[slots[k]!] = reading;
    sensors.lastId[slots[k]!] = id;
  });
}
const nowUs = START_US + ROUNDS * STEP_US;
const slotOf = (sensorId: string) => sensors.find(sensorId)!;
episodes.acknowledge(slotOf("incident"), episodes.get(slotOf("incident"))!.id, nowUs);
episodes.resolve(slotOf("resolved"), episodes.get(slotOf("resolved"))!.id, nowUs);
const silent = slotOf("silent");
const last = { id: sensors.lastId[silent]!, timeUs: sensors.lastUs[silent]!, value: sensors.lastValue[silent]! };
episodes.silent(silent, last.timeUs + 3 * STEP_US, last, SILENCE_SCORE, SILENCE);

const known = planned.map(({ sensorId, sensorType }) => {
  const slot = slotOf(sensorId);
  const { readings, batch: next } = detector.explain(slot, nowUs - STEP_US + 2 * STEP_US, LEVEL + 1);
  return {
    ...{ sensorId, sensorType, lastUs: sensors.lastUs[slot], lastValue: sensors.lastValue[slot] },
    ...{ lastId: sensors.lastId[slot], readings, expected: next.expected[0], band: next.band[0] },
    episode: sensorId === "silent" ? episodes.silence(slot) : episodes.get(slot),
  };
});
const bytes = Buffer.from(sensors.save(0, AS_OF, undefined)).toString("base64");
process.stdout.write(
  `${JSON.stringify({ version: state.version, asOf: AS_OF, bytes, sensors: known }, undefined, 2)}\n`,
);
