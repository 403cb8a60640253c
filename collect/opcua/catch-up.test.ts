import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DataValue } from "node-opcua-client";
import { afterEach, beforeEach, expect, test } from "vitest";
import { manualClock } from "../../server/clock.ts";
import { testLogger } from "../../testing/logger.ts";
import { describeWith } from "../../testing/needs.ts";
import type { CollectorSettings } from "../config/settings.ts";
import { createCounters } from "../counters.ts";
import { Spool } from "../spool.ts";
import { CatchUp } from "./catch-up.ts";
import type { NodeSettings, OpcuaSettings } from "./config.ts";
import type { HistorySession } from "./history.ts";
import { loadOpcua } from "./library.ts";

const [A, B] = ["a", "b"].map((id) => ({ nodeId: `ns=2;s=${id}`, sensorId: id, sensorType: "t", unit: "C" })) as [
  NodeSettings,
  NodeSettings,
];
/** Longer than between two times at which it writes. */
const LATER_MS = 6_000;
const AT_ONCE = AbortSignal.abort(new Error("at once"));

describeWith(["npm:node-opcua-client", "npm:node-opcua-certificate-manager"], "the values of a server", async () => {
  const opcua = await loadOpcua();
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "telltale-catch-up-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const good = (seconds: number): DataValue => {
    const { DataType, DataValue, Variant } = opcua.client;
    const value = new Variant({ dataType: DataType.Double, value: seconds });
    return new DataValue({ value, sourceTimestamp: new Date(1_000 * seconds) });
  };

  /** Before a spool that nothing is sent from. */
  async function catchUpWith(maxBytes: number, say: (key: string) => void = () => {}) {
    const counters = createCounters();
    const sampled = { say };
    // Nobody listens there.
    const platform = { url: "http://127.0.0.1:1" };
    const settings = { producer: "test", platform, spool: { folder, maxBytes, fsync: "batch" } };
    const spool = await Spool.open(settings as CollectorSettings, { counters, logger: testLogger, sampled });
    const clock = manualClock();
    const own = { publishingMs: 100, historyMs: 3_600_000, nodes: [A, B], server: { endpoint: "" }, spool: { folder } };
    const parts = { spool, counters, clock, logger: testLogger, sampled };
    const catchUp = new CatchUp(opcua, own as unknown as OpcuaSettings, parts);
    const file = join(folder, "opcua-newest.json");
    return {
      ...{ catchUp, clock, counters, spool },
      /** As often as it takes to write. */
      look: () => {
        for (let i = 0; i < 3; i++) {
          catchUp.look();
          clock.advanceMs(LATER_MS);
        }
      },
      written: () => (existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as unknown) : undefined),
      take: async (node: NodeSettings, seconds: number) => {
        catchUp.take(node, good(seconds));
        await Promise.resolve(); // those of one message go together
      },
    };
  }

  test("are not written down as come while they wait in memory, where a kill would take them", async () => {
    const { spool, look, written, take } = await catchUpWith(5_000);
    const others = (count: number) =>
      Array.from({ length: count }, (_, i) => ({
        ...{ sensorId: "other", sensorType: "t", unit: "C", value: i, observedAtUs: 1e6 * i },
      }));
    await take(A, 7);
    look();
    expect(written()).toBeUndefined();
    await spool.store(others(1)); // behind the value
    look();
    expect(written()).toEqual({ a: 7_000_000 });
    // For so many there is no room: what comes next waits. The spool is not called full yet, nor is one that takes a little at times.
    spool.offer(others(1_000));
    await take(A, 8);
    look();
    expect([spool.isFull, written()]).toEqual([false, { a: 7_000_000 }]);
    await spool.close(AT_ONCE);
    look();
    expect(written()).toEqual({ a: 7_000_000 });
  });

  // Where it is not, the next start does not know from when on to ask the server.
  test.each([
    ["is", true, 2],
    ["is not", false, 3],
  ])(
    "that wait for history at the end are left to the next start where it %s written down from when",
    async (_, isWritten, stored) => {
      const faulted = Promise.withResolvers<void>();
      const say = (key: string) => {
        if (key === "opcua history") faulted.resolve();
      };
      const { catchUp, counters, spool, look, written, take, clock } = await catchUpWith(10_000_000, say);
      const { StatusCodes } = opcua.client;
      const readHistoryValue = async (nodes: readonly { readonly nodeId: string }[]) =>
        nodes.map(({ nodeId }) =>
          nodeId === A.nodeId
            ? { statusCode: StatusCodes.Good, historyData: { dataValues: [good(8)] } }
            : { statusCode: StatusCodes.BadTimeout },
        );
      clock.advanceMs(10_000);
      await take(A, 7);
      await spool.store([]);
      if (isWritten) look();
      catchUp.interrupt();
      const ending = new AbortController();
      const resumed = catchUp.resume({ readHistoryValue } as unknown as HistorySession, ending.signal);
      await faulted.promise;
      await take(A, 9);
      ending.abort(new Error("the end"));
      await resumed;
      catchUp.end();
      await spool.close(AT_ONCE);
      expect([written(), counters.totals.spooled]).toEqual([isWritten ? { a: 7_000_000 } : undefined, stored]);
    },
  );
});
