import type * as Client from "node-opcua-client";
import { expect, test } from "vitest";
import { describeWith } from "../../testing/needs.ts";
import type { NodeSettings } from "./config.ts";
import { HistoryFault, type HistorySession, historyOf } from "./history.ts";

const NODES: readonly NodeSettings[] = ["a", "b", "c"].map((id) => ({
  ...{ nodeId: `ns=2;s=${id}`, sensorId: id, sensorType: "t", unit: "C", location: undefined, attributes: undefined },
  ...{ samplingMs: 100, queueSize: 1, deadband: 0 },
}));
/** Of each node: two and a half answers. */
const VALUES = 2_500;
const GAP = { fromUs: 0, toUs: VALUES * 1_000 };

describeWith(["npm:node-opcua-client"], "the history of a server", async () => {
  const client = await import("node-opcua-client");
  const { DataValue, StatusCodes } = client;

  /** It keeps so many continuation points at once, and refuses more, or forgets the oldest. */
  function serverWith(most: number, forgets = false) {
    const points = new Map<string, { readonly nodeId: string; readonly from: number }>();
    let numbers = 0;
    const answer = (nodeId: string, from: number, count: number) => {
      const isOver = from + count >= VALUES;
      if (!isOver && points.size >= most) {
        if (!forgets) return { statusCode: StatusCodes.BadNoContinuationPoints };
        points.delete(points.keys().next().value!);
      }
      const dataValues = Array.from(
        { length: Math.min(count, VALUES - from) },
        (_, i) => new DataValue({ sourceTimestamp: new Date(from + i) }),
      );
      const name = isOver ? "" : String(numbers++);
      if (!isOver) points.set(name, { nodeId, from: from + count });
      return { statusCode: StatusCodes.Good, historyData: { dataValues }, continuationPoint: Buffer.from(name) };
    };
    const readHistoryValue = async (
      nodes: readonly { readonly nodeId: string; readonly continuationPoint?: Buffer }[],
      start: Date,
      _end: Date,
      { numValuesPerNode }: { readonly numValuesPerNode: number },
    ) =>
      nodes.map(({ nodeId, continuationPoint }) => {
        const name = String(continuationPoint ?? "");
        const point = points.get(name);
        if (name !== "" && point === undefined) return { statusCode: StatusCodes.BadContinuationPointInvalid };
        points.delete(name);
        return answer(nodeId, point?.from ?? start.getTime(), numValuesPerNode);
      });
    const historyRead = async ({ nodesToRead, releaseContinuationPoints }: Client.HistoryReadRequest) => {
      expect(releaseContinuationPoints).toBe(true);
      for (const { continuationPoint } of nodesToRead!) points.delete(String(continuationPoint));
    };
    return { points, session: { readHistoryValue, historyRead } as unknown as HistorySession };
  }

  const pagesOf = (session: HistorySession) => historyOf({ client }, session, NODES, GAP, new AbortController().signal);

  test.each([
    ["one", 1, false],
    ["as many as there are nodes", 3, false],
    ["the newest", 1, true],
  ])("is read whole of all nodes where it keeps so many continuation points: %s", async (_, most, forgets) => {
    const times = new Map(NODES.map(({ sensorId }) => [sensorId, [] as number[]]));
    const { points, session } = serverWith(most, forgets);
    for await (const page of pagesOf(session)) {
      if ("fault" in page) expect(page.fault).toBeUndefined();
      else times.get(page.node.sensorId)!.push(...page.values.map(({ sourceTimestamp }) => sourceTimestamp!.getTime()));
    }
    const all = Array.from({ length: VALUES }, (_, i) => i);
    // Where one part ends another may begin with the same time.
    expect([...times.values()].map((own) => [...new Set(own)])).toEqual(NODES.map(() => all));
    expect(points.size).toBe(0);
  });

  test("gives its continuation points back where it is not read to its end", async () => {
    const { points, session } = serverWith(3);
    for await (const page of pagesOf(session)) {
      expect([page.node.sensorId, points.size]).toEqual(["a", 3]);
      break;
    }
    expect(points.size).toBe(0);
  });

  test("is read of a node up to a most, and the rest is left to the server", async () => {
    const released: string[] = [];
    const page = Array.from({ length: 1_000 }, (_, i) => ({ sourceTimestamp: new Date(i) }));
    const readHistoryValue = async (nodes: readonly object[]) =>
      nodes.map(() => ({
        ...{ statusCode: StatusCodes.Good, historyData: { dataValues: page }, continuationPoint: Buffer.from("more") },
      }));
    const historyRead = async ({ nodesToRead }: Client.HistoryReadRequest) => {
      released.push(...nodesToRead!.map(({ nodeId }) => nodeId.toString()));
    };
    const cut = [];
    for await (const each of pagesOf({ readHistoryValue, historyRead } as unknown as HistorySession))
      if ("isCut" in each && each.isCut) cut.push(each.node.nodeId);
    const all = NODES.map(({ nodeId }) => nodeId);
    expect([cut, released]).toEqual([all, all]);
  });

  test.each([
    ["good", StatusCodes.GoodNoData],
    ["bad", StatusCodes.BadNoData],
  ])("that a node does not give now is told apart from that of nodes that have none, which is %s", async (_, none) => {
    const { session } = serverWith(3);
    const statuses = [StatusCodes.BadHistoryOperationUnsupported, StatusCodes.BadTimeout, none];
    const readHistoryValue = async () => statuses.map((statusCode) => ({ statusCode }));
    const ends = [];
    for await (const page of pagesOf({ ...session, readHistoryValue } as unknown as HistorySession)) ends.push(page);
    expect(ends).toEqual(NODES.map((node, i) => ({ node, fault: i === 1 ? "BadTimeout" : undefined })));
  });

  test.each([
    ["BadServiceUnsupported", true],
    ["BadResourceUnavailable", false],
  ])("whether another try may help shows in what the server answers: %s", async (name, isFinal) => {
    const readHistoryValue = async () => {
      throw new Error(` serviceResult = ${name} (0x80040000)`);
    };
    const { session } = serverWith(1);
    const reading = pagesOf({ ...session, readHistoryValue } as unknown as HistorySession).next();
    await expect(reading).rejects.toMatchObject({ isFinal });
    await expect(reading).rejects.toBeInstanceOf(HistoryFault);
  });
});
