/** What a server has kept of the time in which nobody listened (HistoryRead, OPC 10000-11), of the nodes of which it keeps any. */
import type { ClientSession, DataValue, HistoryReadResult } from "node-opcua-client";
import { ignoreRejection, orAbort } from "../../server/lib/signals.ts";
import type { NodeSettings } from "./config.ts";
import type { Opcua } from "./library.ts";

/** Values of a node in one answer. */
const PAGE_VALUES = 1_000;
/** Nodes of one request. */
const NODES_AT_ONCE = 50;
/** Of one node, beyond which the rest of the gap is left out: more than a value a second for a day. */
export const MAX_NODE_VALUES = 100_000;
/** By which a server says that there is no history to be read, now or later. Any other fault may pass. */
const NO_HISTORY = new Set([
  ...["BadServiceUnsupported", "BadHistoryOperationUnsupported", "BadHistoryOperationInvalid", "BadNotSupported"],
  ...["BadNotImplemented", "BadNotReadable", "BadUserAccessDenied", "BadNodeIdUnknown", "BadNodeIdInvalid"],
  ...["BadAttributeIdInvalid", "BadNoData"],
]);

export interface Gap {
  /** Microseconds since 1970, both ends included. */
  readonly fromUs: number;
  readonly toUs: number;
}

export interface HistoryValues {
  readonly node: NodeSettings;
  /** In the order of their times, as far as the server keeps it. */
  readonly values: readonly DataValue[];
  /** There would be more, beyond the most of a node. */
  readonly isCut: boolean;
}

export type HistoryPage =
  | HistoryValues
  /** No more comes of this node. The fault says why the rest could not be read, where another try may help. */
  | { readonly node: NodeSettings; readonly fault: string | undefined };

/** The server does not answer, or answers with a fault. */
export class HistoryFault extends Error {
  /** The server has no such service: another try does not help. */
  readonly isFinal: boolean;

  constructor(cause: unknown) {
    const why = cause instanceof Error ? cause.message.trim() : String(cause);
    super(why, { cause });
    this.isFinal = (why.match(/\bBad\w+/g) ?? []).some((name) => NO_HISTORY.has(name));
  }
}

export type HistorySession = Pick<ClientSession, "readHistoryValue" | "historyRead">;

/**
 * The pages of each node, and behind them its end. Nodes without history have only that.
 *
 * @param lost aborts where the connection is lost, which ends it
 * @throws HistoryFault
 */
export async function* historyOf(
  { client }: Pick<Opcua, "client">,
  session: HistorySession,
  nodes: readonly NodeSettings[],
  gap: Gap,
  lost: AbortSignal,
): AsyncGenerator<HistoryPage> {
  const reading = new HistoryReading(client, session, gap, lost);
  try {
    for (let i = 0; i < nodes.length; i += NODES_AT_ONCE) yield* reading.pages(nodes.slice(i, i + NODES_AT_ONCE));
  } finally {
    await reading.release();
  }
}

class HistoryReading {
  readonly #client: Opcua["client"];
  readonly #session: HistorySession;
  readonly #from: Date;
  readonly #to: Date;
  readonly #lost: AbortSignal;
  /** Continuation points that the server keeps for this reading. */
  readonly #points = new Map<NodeSettings, Buffer>();

  constructor(client: Opcua["client"], session: HistorySession, { fromUs, toUs }: Gap, lost: AbortSignal) {
    this.#client = client;
    this.#session = session;
    this.#from = new Date(Math.floor(fromUs / 1_000));
    this.#to = new Date(Math.ceil(toUs / 1_000));
    this.#lost = lost;
  }

  /** Of the nodes of one request. */
  async *pages(nodes: readonly NodeSettings[]): AsyncGenerator<HistoryPage> {
    const results = await this.#read(nodes, this.#from);
    for (const [i, node] of nodes.entries()) {
      let result = results[i]!;
      // Servers keep few at once: those of the nodes before it are used up by now.
      if (result.statusCode.equals(this.#client.StatusCodes.BadNoContinuationPoints))
        result = await this.#readOne(node, this.#from);
      yield { node, fault: yield* this.#pagesOf(node, result) };
    }
  }

  /** @returns why the rest could not be read, where another try may help */
  async *#pagesOf(node: NodeSettings, first: HistoryReadResult): AsyncGenerator<HistoryPage, string | undefined> {
    let start = this.#from;
    let count = 0;
    let result = first;
    for (; !result.statusCode.isBad(); ) {
      const values = valuesOf(result);
      count += values.length;
      const isOver = values.length < PAGE_VALUES && !this.#points.has(node);
      const isCut = !isOver && count >= MAX_NODE_VALUES;
      if (values.length > 0) yield { node, values, isCut };
      if (isOver || isCut) return undefined;
      if (this.#points.has(node)) {
        result = await this.#readOne(node, start);
        if (!result.statusCode.equals(this.#client.StatusCodes.BadContinuationPointInvalid)) continue;
      }
      // Some servers give as many as were asked for, and no word of more; others forget where they were.
      const last = values.at(-1)?.sourceTimestamp;
      if (!last || last <= start) return undefined;
      start = last;
      result = await this.#readOne(node, start);
    }
    const { name } = result.statusCode;
    return NO_HISTORY.has(name) ? undefined : name;
  }

  async #readOne(node: NodeSettings, start: Date): Promise<HistoryReadResult> {
    const [result] = await this.#read([node], start);
    return result!;
  }

  /** Goes on where the server has kept for a node where it was. @throws HistoryFault */
  async #read(nodes: readonly NodeSettings[], start: Date): Promise<HistoryReadResult[]> {
    const asked = nodes.map((node) => {
      const continuationPoint = this.#points.get(node);
      this.#points.delete(node);
      return { nodeId: node.nodeId, ...(continuationPoint && { continuationPoint }) };
    });
    const reading = this.#session.readHistoryValue(asked, start, this.#to, {
      ...{ numValuesPerNode: PAGE_VALUES, returnBounds: false },
      timestampsToReturn: this.#client.TimestampsToReturn.Both,
    });
    const results = await orAbort(reading, this.#lost).catch((cause: unknown) => {
      throw new HistoryFault(cause);
    });
    for (const [i, { continuationPoint }] of results.entries())
      if (continuationPoint?.length) this.#points.set(nodes[i]!, continuationPoint);
    return results;
  }

  /** Servers keep few continuation points. Those that are not used up are kept until the session ends, unless they are given back. */
  async release(): Promise<void> {
    if (this.#points.size === 0 || this.#lost.aborted) return;
    const { HistoryReadRequest, ReadRawModifiedDetails } = this.#client;
    const nodesToRead = Array.from(this.#points, ([{ nodeId }, continuationPoint]) => ({ nodeId, continuationPoint }));
    const range = { startTime: this.#from, endTime: this.#to, numValuesPerNode: PAGE_VALUES };
    const request = new HistoryReadRequest({
      ...{ nodesToRead, releaseContinuationPoints: true },
      historyReadDetails: new ReadRawModifiedDetails({ ...range, isReadModified: false, returnBounds: false }),
    });
    // One who cannot give them back has lost nothing.
    await orAbort(this.#session.historyRead(request), this.#lost).catch(ignoreRejection);
  }
}

function valuesOf({ historyData }: HistoryReadResult): readonly DataValue[] {
  return (historyData as { readonly dataValues?: DataValue[] | null } | null)?.dataValues ?? [];
}
