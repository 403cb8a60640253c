import { expect, test } from "vitest";
import { describeWith } from "../../testing/needs.ts";
import type { NodeSettings } from "./config.ts";
import { historyOf } from "./history.ts";

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
    return { readHistoryValue } as unknown as Parameters<typeof historyOf>[1];
  }

  test.each([
    ["one", 1, false],
    ["as many as there are nodes", 3, false],
    ["the newest", 1, true],
  ])("is read whole of all nodes where it keeps so many continuation points: %s", async (_, most, forgets) => {
    const times = new Map(NODES.map(({ sensorId }) => [sensorId, [] as number[]]));
    for await (const { node, values } of historyOf({ client }, serverWith(most, forgets), NODES, GAP))
      times.get(node.sensorId)!.push(...values.map(({ sourceTimestamp }) => sourceTimestamp!.getTime()));
    const all = Array.from({ length: VALUES }, (_, i) => i);
    // Where one part ends another may begin with the same time.
    expect([...times.values()].map((own) => [...new Set(own)])).toEqual(NODES.map(() => all));
  });
});
