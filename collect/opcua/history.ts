/** What a server has kept of the time in which nobody listened (HistoryRead, OPC 10000-11), of the nodes of which it keeps any. */
import type { ClientSession, DataValue, HistoryReadResult } from "node-opcua-client";
import type { NodeSettings } from "./config.ts";
import type { Opcua } from "./library.ts";

/** Values of a node in one answer. */
const PAGE_VALUES = 1_000;
/** Nodes of one request. */
const NODES_AT_ONCE = 50;
/** Of one node, beyond which the rest of the gap is left out: more than a value a second for a day. */
export const MAX_NODE_VALUES = 100_000;

export interface Gap {
  /** Microseconds since 1970, both ends included. */
  readonly fromUs: number;
  readonly toUs: number;
}

export interface HistoryPage {
  readonly node: NodeSettings;
  /** In the order of their times, as far as the server keeps it. */
  readonly values: readonly DataValue[];
  /** There would be more, beyond the most of a node. */
  readonly isCut: boolean;
}

/** Nodes without history give no page. @throws where the server has no such service, or does not answer */
export async function* historyOf(
  { client }: Pick<Opcua, "client">,
  session: Pick<ClientSession, "readHistoryValue">,
  nodes: readonly NodeSettings[],
  { fromUs, toUs }: Gap,
): AsyncGenerator<HistoryPage> {
  const end = new Date(Math.ceil(toUs / 1_000));
  const read = (some: readonly { nodeId: string; continuationPoint?: Buffer }[], start: Date) =>
    session.readHistoryValue([...some], start, end, {
      ...{ numValuesPerNode: PAGE_VALUES, returnBounds: false },
      timestampsToReturn: client.TimestampsToReturn.Both,
    });
  const first = new Date(Math.floor(fromUs / 1_000));
  for (let i = 0; i < nodes.length; i += NODES_AT_ONCE) {
    const some = nodes.slice(i, i + NODES_AT_ONCE);
    const results = await read(
      some.map(({ nodeId }) => ({ nodeId })),
      first,
    );
    for (const [k, node] of some.entries()) {
      let result = results[k]!;
      // Servers keep few at once: those of the nodes before it are used up by now.
      if (result.statusCode.equals(client.StatusCodes.BadNoContinuationPoints))
        [result] = (await read([{ nodeId: node.nodeId }], first)) as [HistoryReadResult];
      yield* pagesOf(node, result, first, read);
    }
  }
}

async function* pagesOf(
  node: NodeSettings,
  first: HistoryReadResult,
  from: Date,
  read: (some: readonly { nodeId: string; continuationPoint?: Buffer }[], start: Date) => Promise<HistoryReadResult[]>,
): AsyncGenerator<HistoryPage> {
  const { nodeId } = node;
  let start = from;
  let count = 0;
  for (let result = first; result.statusCode.isGood(); ) {
    const { historyData, continuationPoint } = result;
    const values = (historyData as { readonly dataValues?: DataValue[] | null } | null)?.dataValues ?? [];
    count += values.length;
    const isOver = values.length < PAGE_VALUES && !continuationPoint?.length;
    const isCut = !isOver && count >= MAX_NODE_VALUES;
    if (values.length > 0) yield { node, values, isCut };
    if (isOver || isCut) return;
    if (continuationPoint?.length) {
      [result] = (await read([{ nodeId, continuationPoint }], start)) as [HistoryReadResult];
      if (result.statusCode.isGood()) continue;
    }
    // Some servers give as many as were asked for, and no word of more; others forget where they were.
    const last = values.at(-1)?.sourceTimestamp;
    if (!last || last <= start) return;
    start = last;
    [result] = (await read([{ nodeId }], start)) as [HistoryReadResult];
  }
}
