/** What people want of assets and types gets into the log, on a real database: with scorers that commit, die, are old, or do not answer. */
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { pino } from "pino";
import type { Sql } from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { DetectorConfigSchema } from "../../gen/es/telltale/v1/detector_pb.ts";
import { type Control, ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { Bench, START } from "../../testing/owner-bench.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { manualClock } from "../clock.ts";
import { createDetector } from "../detect/index.ts";
import { settingsAction } from "../lib/zone-rules.ts";
import type { LogEntry } from "../log/log.ts";
import { encodeField, encodeRecord } from "../log/record/encode.ts";
import { PartitionOwner } from "../scoring/owner.ts";
import { openStoreSql } from "../store/postgres.ts";
import { Queries } from "../store/queries.ts";
import { isEmpty, SettingsBook } from "./settings-book.ts";
import { SettingsSync } from "./settings-sync.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.stop());

const logger = pino({ level: "silent" });
type Config = MessageInitShape<typeof DetectorConfigSchema>;

function controlOf(id: string, value: Config): Control {
  const config = create(ControlSchema, { action: { case: "settings", value } }).action.value as never;
  return create(ControlSchema, { id, action: settingsAction(config) });
}

/** What somebody wants, by the control record of that id. */
function wanted(id: string, value: Config) {
  const control = controlOf(id, value);
  const { action } = control;
  const config = action.case === "assetSettings" ? action.value.config! : (action.value as never);
  const { asset = "", sensorType = "" } = value;
  return { asset, sensorType, empty: isEmpty(config), control: toBinary(ControlSchema, control) };
}

/** The scorer of one partition. */
class Partition {
  readonly logged: Control[] = [];
  /** Records that it commits; then it does not answer any more. */
  most = Number.POSITIVE_INFINITY;
  /** As one of before there were places. */
  isOld = false;
  readonly #owner: PartitionOwner;
  readonly #bench: Bench;
  readonly #number: number;
  readonly #waiting: { readonly bytes: Uint8Array; readonly done: PromiseWithResolvers<void> }[] = [];
  #offset = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(bench: Bench, number: number) {
    this.#bench = bench;
    this.#number = number;
    this.#owner = new PartitionOwner({
      ...{ partition: number, store: bench.store, createDetector: () => createDetector(), logger },
      ...{ keepOutcomes: false, onCommitted: () => {} },
    });
  }

  async open(): Promise<this> {
    await this.#owner.open(0);
    return this;
  }

  control(bytes: Uint8Array): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.#waiting.push({ bytes, done });
    this.goOn();
    return done.promise;
  }

  /** As far as it may. */
  goOn(): void {
    while (this.logged.length < this.most && this.#waiting.length > 0) {
      const { bytes, done } = this.#waiting.shift()!;
      this.logged.push(fromBinary(ControlSchema, bytes));
      this.#last = this.#last.then(() => this.#take(bytes));
      this.#last.then(done.resolve, done.reject);
    }
  }

  async #take(bytes: Uint8Array): Promise<void> {
    const offset = this.#offset++;
    const record: LogEntry = { offset, bytes: encodeRecord(START + 1e6 * offset, [encodeField(5, bytes)]) };
    await this.#owner.take([record]);
    await this.#owner.settle();
    // It would commit the record and know of no places.
    if (this.isOld) await this.#bench.sql`delete from sensor_place where partition = ${this.#number}`;
  }

  /** What it was given, and for places of how many sensors. */
  get cases(): string[] {
    return this.logged.map(({ action }) => {
      if (action.case !== "placeSensors") return action.case ?? "";
      return `places of ${action.value.placed.flatMap(({ sensorIds }) => sensorIds).length}`;
    });
  }

  /** What waits was of a process that ended before the log had it. */
  lose(): void {
    this.#waiting.length = 0;
  }

  get waiting(): number {
    return this.#waiting.length;
  }
}

async function installation(partitions = 1) {
  const bench = await Bench.open(postgres.url);
  const logs = await Promise.all(Array.from({ length: partitions }, (_, i) => new Partition(bench, i).open()));
  const lines: string[] = [];
  const submitter = { control: (partition: number, bytes: Uint8Array) => logs[partition]!.control(bytes) };
  const clock = manualClock();
  const said = pino({ level: "warn" }, { write: (line: string) => void lines.push(JSON.parse(line).msg) });
  const sync = (options: Partial<ConstructorParameters<typeof SettingsSync>[0]> = {}) => {
    const { sql } = bench;
    const book = new SettingsBook(new Queries(sql), partitions);
    return new SettingsSync({ ...{ sql, book, partitions, submitter, clock }, logger: said, ...options });
  };
  /** Puts the sensors `s-<from>` to `s-<to>` into the asset. */
  const put = (asset: string, from: number, to: number) => bench.sql`
    insert into sensor_profile (sensor_id, display_name, description, owner, runbook_url, asset, tags, attributes, revision, updated_us, updated_by)
      select 's-' || i, '', '', '', '', ${asset}, '[]', '{}', 1, 0, '' from generate_series(${from}::int, ${to - 1}::int) i
      on conflict (sensor_id) do update set asset = excluded.asset`;
  const placed = async () =>
    (await bench.sql`select asset, count(*)::int as n from sensor_place group by 1 order by 1`).map((r) => [
      r.asset,
      r.n,
    ]);
  /** What holds of the scope in each partition. */
  const held = async (scope: { asset: string; sensorType: string }) => {
    const book = new SettingsBook(new Queries(bench.sql), partitions);
    return Promise.all(logs.map(async (_, i) => (await book.of(i)).logged(scope)?.config.rangeMax));
  };
  const rows = () => bench.sql`select * from wanted_settings`;
  return { bench, logs, lines, clock, sync, put, placed, held, rows };
}

const SENSORS = 4_500;
const SITE = { asset: "site", sensorType: "" };
const FLOW = { asset: "", sensorType: "flow" };

test("a process that ends in the middle leaves the rest to the next one, places before settings, and nothing is logged without settings", async () => {
  const { bench, logs, sync, put, placed, rows } = await installation();
  const [log] = logs as [Partition];
  await put("site/a", 0, SENSORS);
  const first = sync();
  await first.run();
  expect(log.logged).toEqual([]);
  await first.want(wanted("c1", { asset: "site", rangeMax: 5 }));
  log.most = 1;
  const ends = first.run();
  await expect.poll(placed).toEqual([["site/a", 2_000]]);
  expect((await first.wanted(SITE))?.rangeMax).toBe(5);
  expect(await first.wanted({ asset: "site/a", sensorType: "" })).toBeUndefined();
  await first.close();
  await expect(ends).rejects.toThrow();
  log.lose();
  const second = sync();
  expect(await second.pending({ asset: "site/a", sensorType: "" })).toBe(SENSORS - 2_000 + 1);
  log.most = Number.POSITIVE_INFINITY;
  await second.run();
  expect(log.cases).toEqual(["places of 2000", "places of 2000", "places of 500", "assetSettings"]);
  expect(await placed()).toEqual([["site/a", SENSORS]]);
  expect(await second.pending({ asset: "site/a", sensorType: "" })).toBe(0);

  await put("elsewhere", 0, 3);
  await second.run(["s-0", "s-1"]);
  expect(await placed()).toEqual([
    ["elsewhere", 2],
    ["site/a", SENSORS - 2],
  ]);
  expect(await second.pending(SITE)).toBe(1);
  await second.want(wanted("c2", { asset: "site" }));
  await second.run();
  expect(await rows()).toHaveLength(0);
  const before = log.logged.length;
  await second.run();
  expect(log.logged).toHaveLength(before);
  await second.close();
  await bench.close();
});

test("a process that ends while it waits for its turn, or is stopped in it, holds up no other one", async () => {
  const { bench, sync, held } = await installation();
  const never = { control: () => new Promise<never>(() => {}) };
  const [stopped, waiting] = ["stops", "waits"].map((name) => openStoreSql(bench.url, 1, 60_000, name)) as [Sql, Sql];
  const asked = (name: string) =>
    bench.sql`select pid from pg_stat_activity where application_name = ${name} and query like '%advisory%'`;
  const first = sync({ sql: stopped, submitter: never, commitMs: 600_000, idleMs: 3_000 });
  await first.want(wanted("c1", { asset: "site", rangeMax: 5 }));
  const stops = expect(first.run()).rejects.toMatchObject({ code: "CONNECTION_CLOSED" });
  const second = sync({ sql: waiting });
  await expect.poll(() => bench.sql`select from pg_locks where locktype = 'advisory'`).not.toEqual([]);
  const ends = expect(second.run()).rejects.toThrow();
  await expect.poll(() => asked("waits")).toHaveLength(1);
  await second.close();
  await ends;
  const third = sync();
  await third.run();
  await stops;
  expect(await held(SITE)).toEqual([5]);
  for (const each of [first, third]) await each.close();
  await Promise.all([stopped.end(), waiting.end()]);
  await bench.close();
});

test("what a process that had lost its turn logs behind what is wanted is put right, also where nothing is wanted any more", async () => {
  const { bench, logs, sync, held, rows } = await installation(2);
  const it = sync();
  const late = [wanted("c1", { asset: "site", rangeMax: 5 }), wanted("c2", { sensorType: "flow", rangeMax: 5 })];
  for (const each of late) await it.want(each);
  await it.run();
  expect(await held(SITE)).toEqual([5, 5]);
  await it.want(wanted("c3", { asset: "site" }));
  await it.want(wanted("c4", { sensorType: "flow" }));
  await it.run();
  expect((await rows()).map(({ sensor_type }) => sensor_type)).toEqual(["flow"]);
  for (const { control } of late) await logs[1]!.control(control);
  expect([await held(SITE), await held(FLOW)]).toEqual([
    [undefined, 5],
    [undefined, 5],
  ]);
  const next = sync();
  expect(await next.pending(FLOW)).toBe(1);
  await next.run();
  expect([await held(SITE), await held(FLOW)]).toEqual([
    [undefined, undefined],
    [undefined, undefined],
  ]);
  await bench.close();
});

test("settings of a type that a killed process has logged in some partitions are logged in the others", async () => {
  const { bench, logs, sync, held, rows } = await installation(3);
  const killed = sync();
  logs[1]!.most = 0;
  await killed.want(wanted("c1", { sensorType: "flow", rangeMax: 5 }));
  const ends = expect(killed.run()).rejects.toThrow();
  await expect.poll(() => held(FLOW)).toEqual([5, undefined, 5]);
  await killed.close();
  await ends;
  logs[1]!.lose();
  logs[1]!.most = Number.POSITIVE_INFINITY;
  await sync().run();
  expect(await held(FLOW)).toEqual([5, 5, 5]);

  // As versions before have logged them, without writing down what is wanted.
  const logged = async (control: Control, partitions: readonly number[]) => {
    for (const partition of partitions) await logs[partition]!.control(toBinary(ControlSchema, control));
  };
  const heat = { asset: "", sensorType: "heat" };
  await logged(controlOf("b1", { sensorType: "heat", rangeMax: 1 }), [0, 1, 2]);
  await logged(controlOf("b2", { rangeMax: 2 }), [0, 1, 2]);
  await sync().run();
  expect((await rows()).map(({ sensor_type }) => sensor_type)).toEqual(["flow"]);
  await logged(controlOf("b3", { sensorType: "heat", rangeMax: 3 }), [2]);
  await logged(controlOf("b4", {}), [0]);
  await sync().run();
  expect([await held(heat), await held({ asset: "", sensorType: "" })]).toEqual([
    [3, 3, 3],
    [undefined, undefined, undefined],
  ]);
  const counts = logs.map((log) => log.logged.length);
  await sync().run();
  expect(logs.map((log) => log.logged.length)).toEqual(counts);
  await bench.close();
});

test("a partition that does not commit holds up no other one, is given one record, and gets what it lacks when it commits again", async () => {
  const { bench, logs, sync, held } = await installation(2);
  const [, stuck] = logs as [Partition, Partition];
  stuck.most = 0;
  const it = sync({ commitMs: 300 });
  it.start();
  for (const rangeMax of [5, 6, 7]) {
    await it.want(wanted(`c${rangeMax}`, { sensorType: "flow", rangeMax }));
    await expect(it.run()).rejects.toMatchObject({ kind: "unavailable" });
    await expect.poll(() => held(FLOW)).toEqual([rangeMax, undefined]);
  }
  await expect(it.run()).rejects.toMatchObject({
    kind: "unavailable",
    message: "what is left is logged later: no commit (partition 1)",
  });
  await Promise.all(Array.from({ length: 500 }, (_, i) => it.placed([`s-${i}`])));
  expect(await it.pending(FLOW)).toBe(1);
  expect(stuck.waiting).toBe(1);
  stuck.most = Number.POSITIVE_INFINITY;
  stuck.goOn();
  await expect.poll(() => held(FLOW)).toEqual([7, 7]);
  await it.close();
  await bench.close();
});

test("a scorer of an older version is given places less and less often, one at a time, which is said once, until it is upgraded", async () => {
  const { bench, logs, lines, clock, sync, put } = await installation();
  const [log] = logs as [Partition];
  log.isOld = true;
  await put("site", 0, 3);
  const it = sync();
  await it.want(wanted("c1", { asset: "site", rangeMax: 5 }));
  const given = async (minutes: number) => {
    clock.advanceMs(minutes * 60_000);
    const before = log.logged.length;
    await it.run().catch((error: unknown) => {
      expect(error).toMatchObject({
        message: "what is left is logged later: a scorer of an older version (partition 0)",
      });
    });
    return log.cases.slice(before);
  };
  expect(await given(0)).toEqual(["places of 3"]);
  expect(await given(0)).toEqual([]);
  expect(await given(1)).toEqual(["places of 1"]);
  expect(await given(1)).toEqual([]);
  for (const minutes of [1, 4, 8, 15, 15]) expect(await given(minutes)).toEqual(["places of 1"]);
  expect(await given(14)).toEqual([]);
  expect(await it.pending(SITE)).toBe(4);
  expect(lines.filter((line) => line.includes("older version"))).toHaveLength(1);
  log.isOld = false;
  expect(await given(1)).toEqual(["places of 1", "places of 2", "assetSettings"]);
  expect(await it.pending(SITE)).toBe(0);
  await bench.close();
});
