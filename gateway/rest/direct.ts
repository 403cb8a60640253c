/** The direct route: a row run with the contracts' own code, without GraphQL in between; over gRPC, or within this process. */
import { create, type DescMethodUnary, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { Client, credentials } from "@grpc/grpc-js";
import { UNARY_DEADLINE_MS, type UnaryMethod, withCancelBudget } from "../mesh/call.ts";
import { CHANNEL_OPTIONS } from "../mesh/channel.ts";
import { methodOf } from "../mesh/contracts.ts";
import { RowRunner, type RunUnary } from "../mesh/run.ts";
import type { FieldRow, Raw } from "../mesh/tables.ts";
import { restFacade } from "./names.ts";

export interface DirectRoute {
  of(row: FieldRow): RunUnary;
  close(): void;
}

/** Calls a service of this process; rejects with ConnectError. */
export type CallInProcess = (
  method: DescMethodUnary,
  message: Message,
  options: { readonly headers: Headers; readonly signal: AbortSignal; readonly timeoutMs: number },
) => Promise<Message>;

/**
 * @param address host:port of the services, without a scheme
 * @param inProcess where the services are in this process
 */
export function directRoute(address: string, inProcess?: CallInProcess): DirectRoute {
  const runner = new RowRunner(restFacade, "es");
  const { method, close } = directMethods(address, inProcess);
  return { of: (row) => runner.unary(row, method), close };
}

/** The contracts' methods by name, such as "QueryService.ListReadings". They take and give messages of the generated code. */
export function directMethods(
  address: string,
  inProcess?: CallInProcess,
): { method(rpc: string): UnaryMethod; close(): void } {
  if (inProcess !== undefined) return { method: (rpc) => ownMethod(inProcess, rpc), close: () => {} };
  const client = new Client(address, credentials.createInsecure(), CHANNEL_OPTIONS);
  return { method: (rpc) => grpcMethod(client, rpc), close: () => client.close() };
}

function grpcMethod(client: Client, rpc: string): UnaryMethod {
  const { input, output, parent, name } = methodOf(rpc);
  return withCancelBudget((request, metadata, options, done) =>
    client.makeUnaryRequest(
      `/${parent.typeName}/${name}`,
      (message: Raw) => Buffer.from(toBinary(input, create(input, message))),
      (bytes: Buffer) => fromBinary(output, bytes) as unknown as Raw,
      request,
      metadata,
      options,
      done,
    ),
  );
}

/**
 * Within the process there is no connection that all calls share: cancels need no budget, and calls at once no bound beside those
 * of the services' own (the queue that takes turns between callers, the quota, and the rows of a page).
 */
function ownMethod(call: CallInProcess, rpc: string): UnaryMethod {
  const method = methodOf(rpc) as DescMethodUnary;
  return (request, metadata, _, done) => {
    const gone = new AbortController();
    const headers = new Headers(metadata.getMap() as Record<string, string>);
    const options = { headers, signal: gone.signal, timeoutMs: UNARY_DEADLINE_MS };
    call(method, create(method.input, request), options).then(
      (message) => done(null, message as unknown as Raw),
      (error: ConnectError) => done(error),
    );
    return { cancel: () => gone.abort() };
  };
}
