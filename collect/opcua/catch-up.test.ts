import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { manualClock } from "../../server/clock.ts";
import { testLogger } from "../../testing/logger.ts";
import { describeWith } from "../../testing/needs.ts";
import { createCounters } from "../counters.ts";
import { CatchUp } from "./catch-up.ts";
import type { NodeSettings, OpcuaSettings } from "./config.ts";
import { loadOpcua } from "./library.ts";

const NODE = { nodeId: "ns=2;s=a", sensorId: "a", sensorType: "t", unit: "C" } as NodeSettings;
/** Longer than between two times at which it writes. */
const LATER_MS = 6_000;

describeWith(["npm:node-opcua-client", "npm:node-opcua-certificate-manager"], "until when values have come", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "telltale-catch-up-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test("is not written down while the spool is full, where values wait that a kill would take", async () => {
    const opcua = await loadOpcua();
    const { DataType, DataValue, Variant } = opcua.client;
    const clock = manualClock();
    // What it takes it stores when there is room.
    const spool = { isFull: false, offer: () => true, store: async () => {}, room: async () => {} };
    const settings = { publishingMs: 100, nodes: [NODE], spool: { folder } } as unknown as OpcuaSettings;
    const parts = { spool, counters: createCounters(), clock, logger: testLogger, sampled: { say: () => {} } };
    const catchUp = new CatchUp(opcua, settings, parts);
    const value = new Variant({ dataType: DataType.Double, value: 1 });
    catchUp.take(NODE, new DataValue({ value, sourceTimestamp: new Date(7_000) }));
    await Promise.resolve();
    spool.isFull = true;
    const look = () => {
      catchUp.look();
      clock.advanceMs(LATER_MS);
    };
    const file = join(folder, "opcua-newest.json");
    for (let i = 0; i < 3; i++) look();
    expect(existsSync(file)).toBe(false);
    spool.isFull = false;
    for (let i = 0; i < 2; i++) look();
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ a: 7_000_000 });
  });
});
