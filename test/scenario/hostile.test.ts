/** Random hostile readings, metadata, records and controls at one partition: good neighbours settle, counts add up, the data is whole. */
import { create, fromBinary, type JsonObject, type JsonValue, toBinary } from "@bufbuild/protobuf";
import pino from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Control, ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { type Reading, ReadingSchema } from "../../gen/es/telltale/v1/reading_pb.ts";
import { type Accepted, Acceptor } from "../../server/ingest/accept.ts";
import { SeriesTable } from "../../server/ingest/series.ts";
import { encodeField, encodeRecord } from "../../server/log/record/encode.ts";
import { fsck } from "../../server/store/fsck.ts";
import { startMaintenance } from "../../server/store/maintenance.ts";
import { Queries } from "../../server/store/queries.ts";
import { Bench, START, tick } from "../../testing/owner-bench.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { Random } from "../../testing/random.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.stop());

const newSeed = Number(process.env.SEED ?? Date.now() % 1e6);
const RECORDS = 400;
const YEAR_1_S = -62_135_596_800n;
const END_S = 253_402_300_799n;

const VALUES = [
  Number.MAX_VALUE,
  -Number.MAX_VALUE,
  1e308,
  -1e308,
  5e-324,
  -5e-324,
  0,
  -0,
  1e-310,
  3.5e38,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 53,
  1e15,
  0.1,
];
const TEXTS = [
  "\ud800",
  "a\udc00b",
  "\0",
  "\u2028\u202e",
  "𝔘𝔫𝔦",
  "'; drop table series; --",
  "{1,2}",
  "\\x00",
  "%",
  "e\u0301".repeat(24),
  "N\u0000",
  "",
  " ",
  "-1",
  "__proto__",
  "../..",
  "x".repeat(50),
  "x".repeat(51),
  "\u{10ffff}".repeat(200),
  "x".repeat(201),
  "\u{10ffff}",
];

function json(random: Random, depth: number): JsonValue {
  const kind = random.between(0, depth > 30 ? 3 : 6);
  if (kind === 0) return random.pick(VALUES);
  if (kind <= 2) return random.pick(TEXTS);
  if (kind === 3) return random.pick([null, true, false]);
  if (kind === 4) return [json(random, depth + 1), json(random, depth + 1)];
  return { [random.pick(TEXTS)]: json(random, depth + 1) };
}

/** Nested so many times. */
function nested(levels: number): JsonObject {
  let value: JsonObject = {};
  for (let i = 0; i < levels; i++) value = i % 2 ? { a: value } : { l: [value] };
  return value;
}

function hostile(random: Random): Reading {
  const seconds = [YEAR_1_S, -1n, 0n, 1n, END_S, END_S + 1n, 2n ** 62n, BigInt(START / 1e6 + random.between(0, 5000))];
  const metadata = random.pick<() => JsonObject | undefined>([
    () => undefined,
    () => ({ [random.pick(TEXTS)]: json(random, 0) }),
    () => nested(random.pick([5, 15, 30, 60])),
    () => ({ long: "é".repeat(random.pick([100, 8000, 20_000])) }),
  ])();
  return create(ReadingSchema, {
    sensorId: random.pick([...TEXTS, "victim", "victim", "victim"]),
    sensorType: random.pick(["temperature", "temperature", ...TEXTS]),
    unit: random.pick(["C", "C", "C", ...TEXTS]),
    ...(random.next() < 0.3 ? { location: random.pick(TEXTS) } : {}),
    value: random.pick(VALUES),
    ...(random.next() < 0.8
      ? { observedAt: { seconds: random.pick(seconds), nanos: random.pick([0, 999_999_999, -1, 1_000_000_000]) } }
      : {}),
    ...(metadata === undefined ? {} : { metadata }),
  });
}

function control(random: Random): Uint8Array {
  const time = () => ({ seconds: random.pick([YEAR_1_S, 0n, END_S, 2n ** 62n]), nanos: random.pick([0, -5]) });
  const text = () => random.pick(TEXTS);
  const id = () => random.pick([0n, -1n, 2n ** 62n, 955051426180096n]);
  const actions: NonNullable<Control["action"]>[] = [
    { case: "acknowledge", value: { alertId: id(), sensorId: text() } },
    { case: "resolve", value: { alertId: id(), sensorId: "victim", comment: text() } },
    {
      case: "label",
      value: { alertId: id(), sensorId: "victim", correct: true, comment: text(), withdrawn: false, detector: text() },
    },
    {
      case: "maintenance",
      value: { id: text(), sensorId: text(), location: text(), startTime: time(), endTime: time(), comment: text() },
    },
    { case: "endMaintenance", value: { windowId: text() } },
    { case: "config", value: { sensorType: text(), reorderHoldMs: random.pick([0, 2 ** 31, 100]) } },
    {
      case: "settings",
      value: {
        ...{ sensorId: random.pick(["victim", text()]), sensorType: random.pick(["", text()]) },
        ...{ reorderHoldMs: random.pick([undefined, 0, 2 ** 31]), direction: random.pick([0, 2, 9]) },
        ...{ off: random.pick([undefined, true]), rangeMin: random.pick([undefined, Number.NaN, 1e300]) },
      },
    },
  ] as never[];
  const bytes = toBinary(
    ControlSchema,
    create(ControlSchema, { id: text(), principal: text(), action: random.pick(actions) as never }),
  );
  return encodeField(5, bytes);
}

/** Of sensors that there are, that there are not, and that there cannot be; the same one twice. */
function lifeCycle(random: Random): Uint8Array {
  const sensorIds = Array.from({ length: random.between(0, 3) }, () => random.pick(["victim", ...TEXTS]));
  const action: NonNullable<Control["action"]> =
    random.next() < 0.5
      ? { case: "deleteSensors", value: { sensorIds } as never }
      : { case: "retire", value: { sensorIds, retired: random.next() < 0.5 } as never };
  const control = create(ControlSchema, { id: "1", principal: random.pick(["tester", "\0"]), action: action as never });
  return encodeField(5, toBinary(ControlSchema, control));
}

/** Bytes that no program of ours has written. */
function garbage(random: Random, like: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(like.slice(0, random.between(0, like.length)));
  for (let i = 0; i < 5 && bytes.length > 12; i++) bytes[random.between(12, bytes.length - 1)] = random.between(0, 255);
  return bytes;
}

/**
 * Damaged records that named no sensor, and a series by bytes that are no text, stopped the partition, or looked like a loss; one whose
 * reading was of the year -269701 stopped compaction.
 */
const FOUND = [709_629, 591_780, 594_214];

test.each([newSeed, ...FOUND])(
  "whatever is thrown at a partition, its good neighbours settle and nothing is lost or counted twice (seed %d)",
  async (seed) => {
    const random = new Random(seed);
    // Of their own, so that seeds of before still give the records that they gave.
    const lives = new Random(seed + 1);
    const acceptor = new Acceptor(new SeriesTable(1));
    const rules = { nowUs: START + 1e15, maxAheadUs: 0, oldestUs: 0, mayWrite: () => true };
    const bench = await Bench.open(postgres.url);
    const records: Uint8Array[] = [];
    const sent: { readonly accepted: Accepted; readonly offset: number }[] = [];
    const damaged = new Set<number>();
    for (let i = 0; i < RECORDS; i++) {
      const good = create(ReadingSchema, {
        ...{ sensorId: "good", sensorType: "temperature", unit: "C", value: 20 + (i % 5) },
        observedAt: { seconds: BigInt(START / 1e6 + i), nanos: 0 },
      });
      const readings = [good, ...Array.from({ length: random.between(0, 6) }, () => hostile(random))];
      const head = {
        producer: "p",
        epoch: 1n,
        sequence: BigInt(i + 1),
        traceparent: "",
        blocks: [],
        echo: i % 7 === 0,
      };
      const accepted = acceptor.accept({ ...head, readings }, rules);
      sent.push({ accepted, offset: records.length });
      const fragment = accepted.fragments.get(0)!.bytes;
      records.push(encodeRecord(START + i * 1e6, [fragment]));
      const extra = random.between(0, 9);
      if (extra >= 8) {
        damaged.add(records.length);
        records.push(encodeRecord(START + i * 1e6, [lifeCycle(lives)]));
      }
      if (extra === 0) records.push(tick(i));
      if (extra === 1) records.push(encodeRecord(START + i * 1e6, [control(random)]));
      if (extra === 2) {
        damaged.add(records.length);
        // Of another producer: a sequence that was damaged upwards would make all later batches of the good one pass for resent ones.
        const other = acceptor.accept({ ...head, producer: "damaged", readings }, rules).fragments.get(0)!.bytes;
        records.push(garbage(random, encodeRecord(START + i * 1e6, [other])));
      }
    }
    // Whatever hold somebody has set is over by then.
    records.push(tick(RECORDS + 10_000), tick(RECORDS + 10_001));
    for (let done = 0; done < records.length; done += 97) await bench.appendThrough(records.slice(done, done + 97), 20);
    const maintenance = startMaintenance({
      sql: bench.url,
      logger: pino({ level: "silent" }),
      retentionDays: 0,
      manual: true,
    });
    await maintenance.compactNow();
    await maintenance.removeNow();
    await maintenance.close();

    const outcomes = new Map(bench.outcomes.map((o) => [o.offset, o]));
    for (const { accepted, offset } of sent) {
      const outcome = outcomes.get(offset)!.fragments[0]!;
      const settled = outcome.accepted + outcome.duplicate + outcome.conflicting + outcome.quarantined;
      expect(settled + accepted.rejected, `record ${offset}`).toBe(accepted.total);
    }
    const aside = await bench.sql`select log_offset, sensor_id, reason from quarantined_reading`;
    for (const r of aside)
      expect(damaged.has(r.log_offset), `${r.sensor_id} at ${r.log_offset}: ${r.reason}`).toBe(true);
    const queries = new Queries(bench.sql);
    expect((await queries.sensorStats("good")).find(({ unit }) => unit === "C")!.readings).toBeGreaterThanOrEqual(
      RECORDS,
    );
    expect((await fsck(bench.url)).problems).toEqual([]);

    // Everything can be read again, by queries and by another owner.
    const before = await bench.everything();
    await bench.crash();
    expect(await bench.everything()).toBe(before);
    for (const r of await bench.sql`select control from detector_setting`) fromBinary(ControlSchema, r.control);
    await bench.close();
  },
  180_000,
);
