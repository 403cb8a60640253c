import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { Bench, record, START, tick } from "../../testing/owner-bench.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { createDetector } from "../detect/index.ts";
import { encodeField, encodeRecord } from "../log/record/encode.ts";
import { applyControl, controlRows, restoreSetting, staysInSettings } from "./controls.ts";
import { scopeOf } from "./scope.ts";
import { PartitionState } from "./state.ts";

const control = (action: NonNullable<MessageInitShape<typeof ControlSchema>["action"]>) =>
  create(ControlSchema, { id: "1", principal: "p", action });

/** A control of a kind that a later version adds: field 77, a message, behind the fields that this version knows. */
const NEWER = Buffer.concat([
  toBinary(ControlSchema, create(ControlSchema, { id: "1", principal: "p" })),
  Buffer.from([0xea, 0x04, 3, 0x0a, 1, 0x78]),
]);

describe("what the store has of settings when a state is recovered", () => {
  const ALERT = 7;

  /** A sensor with an open alert. */
  function alarmed() {
    const state = new PartitionState(createDetector());
    const slot = state.sensors.add("s", "t", "C");
    state.sensors.episodes.silent(slot, START, { id: ALERT, timeUs: START, value: 1 }, 7000, 1);
    const [open] = state.sensors.episodes.open(slot);
    const scope = { ...scopeOf(state), offset: 0, tick: 0, receivedUs: START, live: false, change: () => true };
    return { state, slot, scope, alertId: BigInt(open!.id) };
  }
  const isOpen = ({ state, slot }: ReturnType<typeof alarmed>) => state.sensors.episodes.open(slot).length === 1;

  test("a resolution is not applied again: the stored alert says what became of it", () => {
    const it = alarmed();
    const resolve = control({ case: "resolve", value: { sensorId: "s", alertId: it.alertId } });
    expect(staysInSettings(resolve)).toBe(true);
    restoreSetting(resolve, it.scope);
    expect(isOpen(it)).toBe(true);
    // As a record of the log it is.
    expect(applyControl(resolve, it.state, 0)).toBe(true);
    expect(isOpen(it)).toBe(false);
  });

  test("nor is an acknowledgement, which is no setting", () => {
    const it = alarmed();
    const acknowledge = control({ case: "acknowledge", value: { sensorId: "s", alertId: it.alertId } });
    expect(staysInSettings(acknowledge)).toBe(false);
    restoreSetting(acknowledge, it.scope);
    expect(applyControl(acknowledge, it.state, 0)).toBe(true);
  });

  test("a configuration is, and where a slot's state has a label already only its number is kept", () => {
    const it = alarmed();
    restoreSetting(control({ case: "config", value: { sensorType: "t", reorderHoldMs: 5 } }), it.scope);
    expect(it.state.settings.bufferUs("t", "s")).toBe(5000);
    const before = it.state.sensors.detector.saveChunk(0);
    const label = control({ case: "label", value: { sensorId: "s", alertId: it.alertId, correct: false } });
    restoreSetting(label, { ...it.scope, change: () => false });
    expect(it.state.sensors.detector.saveChunk(0)).toEqual(before);
    const fresh = alarmed();
    restoreSetting(label, fresh.scope);
    expect(fresh.state.sensors.detector.saveChunk(0)).not.toEqual(before);
  });

  test("a kind that this version does not know changes nothing, stays, and is no label", () => {
    const it = alarmed();
    const before = [it.state.sensors.detector.saveChunk(0), it.state.sensors.episodes.saveChunk(0)];
    const newer = fromBinary(ControlSchema, NEWER);
    restoreSetting(newer, it.scope);
    expect(applyControl(newer, it.state, 0)).toBe(false);
    expect([it.state.sensors.detector.saveChunk(0), it.state.sensors.episodes.saveChunk(0)]).toEqual(before);
    expect(staysInSettings(newer)).toBe(true);
    const at = { partition: 0, offset: 0, tick: 0, receivedUs: START };
    expect(controlRows([newer], at)).toEqual({ labels: [], deletions: [], retirements: [], placements: [] });
  });
});

describe("in the store", () => {
  let postgres: TestPostgres;
  beforeAll(async () => {
    postgres = await startPostgres();
  }, 120_000);
  afterAll(() => postgres.stop());

  test("a kind that this version does not know is kept in the settings with its bytes, for one that knows it", async () => {
    const bench = await Bench.open(postgres.url);
    const reading = (at: number) => record(at, [{ readings: [{ sensor: "s", at, value: at }] }]);
    const newer = encodeRecord(START + 2e6, [encodeField(5, NEWER)]);
    await bench.append([reading(1), newer, reading(3), tick(4)]);
    const kept = () => bench.sql`select log_offset::int as at, control from detector_setting order by log_offset`;
    expect(await kept()).toEqual([{ at: 1, control: NEWER }]);
    await bench.crash();
    await bench.append([reading(5)]);
    expect(await kept()).toEqual([{ at: 1, control: NEWER }]);
    expect((await bench.readings()).points.length).toBe(3);
    await bench.close();
  });
});
