/** Large operations take turns, and so does the reading of large documents. */
import type { GatewayPlugin } from "@graphql-hive/gateway-runtime";
import type { DocumentNode } from "graphql";
import { UpstreamError } from "../mesh/errors.ts";
import { type Headers, Turns } from "../turns.ts";
import type { KeptDocuments } from "./documents.ts";
import { MAX_CHARACTERS, operationCost } from "./limits.ts";

/** Values from which an operation is a large one: more than a page of 100 readings with all fields. */
const LARGE = 3_000;
/** Values that are fetched, shaped and written in a millisecond. */
const VALUES_A_MS = 40;
/** Characters from which a document that was not read before waits for its turn: validation takes some milliseconds for each thousand. */
const LARGE_TEXT = 1_000;
const CHARACTERS_A_MS = 200;
/** A turn is this many times as long as the reading takes. */
const PAUSES_A_READING = 2;

interface Asked {
  readonly params: { readonly query?: string };
  readonly request: { readonly headers: Iterable<[string, string]>; readonly signal: AbortSignal };
  setResult(result: { errors: readonly unknown[] }): void;
}

type Execute = (args: ExecutionArgs) => unknown;

interface ExecutionArgs {
  readonly document: DocumentNode;
  readonly operationName?: string | null;
  readonly variableValues?: object | null;
  readonly contextValue?: Asking;
}

/** Mesh's context: of an HTTP request, or ours of a websocket. */
interface Asking {
  readonly headers?: Headers;
  readonly request?: { readonly signal?: AbortSignal };
  readonly signal?: AbortSignal;
}

interface Execution {
  readonly args: ExecutionArgs;
  readonly executeFn: Execute;
  setExecuteFn(execute: Execute): void;
  setResultAndStopExecution(result: { errors: readonly unknown[] }): void;
}

/** @param kept documents that need not be read again */
export function turns(kept: Pick<KeptDocuments, "has">): GatewayPlugin {
  const queue = new Turns("large operations");
  const readers = new Turns("large documents");
  const onParams = async ({ params, request, setResult }: Asked) => {
    const { query = "" } = params;
    if (query.length < LARGE_TEXT || query.length > MAX_CHARACTERS || kept.has(query)) return;
    const reads = query.length / CHARACTERS_A_MS;
    const headers: Headers = Object.fromEntries(request.headers);
    const turn = { headers, cost: reads, signal: request.signal, leastMs: PAUSES_A_READING * reads };
    // The reading itself follows at once, and in what is left of the turn everybody else has the thread.
    await readers.run(turn, async () => {}).catch((error) => setResult({ errors: [graphqlError(error)] }));
  };
  const onExecute = ({ args, executeFn, setExecuteFn, setResultAndStopExecution }: Execution) => {
    const { document, operationName, variableValues, contextValue = {} } = args;
    let cost: number;
    try {
      cost = operationCost(document, operationName ?? undefined, variableValues ?? {});
    } catch (error) {
      return setResultAndStopExecution({ errors: [error] });
    }
    if (cost < LARGE) return undefined;
    const signal = contextValue.signal ?? contextValue.request?.signal ?? NEVER;
    const turn = { headers: contextValue.headers ?? {}, cost: cost / VALUES_A_MS, signal };
    setExecuteFn((given) =>
      queue
        .run(turn, async () => executeFn(given))
        .catch((error) => {
          throw graphqlError(error);
        }),
    );
    return undefined;
  };
  return {
    onParams: (payload) => onParams(payload as unknown as Asked),
    onExecute: (payload) => onExecute(payload as unknown as Execution),
  };
}

const NEVER = new AbortController().signal;

function graphqlError(error: unknown): unknown {
  return error instanceof UpstreamError ? error.toGraphQL() : error;
}
