/** The short way: a row run over gRPC with the contracts' own code, without GraphQL in between. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import type { UnaryMethod } from "../mesh/call.ts";
import { CHANNEL_OPTIONS } from "../mesh/channel.ts";
import { methodOf } from "../mesh/contracts.ts";
import { RowRunner, type RunUnary } from "../mesh/run.ts";
import type { FieldRow, Raw } from "../mesh/tables.ts";
import { restFacade } from "./names.ts";

export interface ShortWay {
  of(row: FieldRow): RunUnary;
  close(): void;
}

/** @param address host:port of the services, without a scheme */
export function shortWay(address: string): ShortWay {
  const client = new Client(address, credentials.createInsecure(), CHANNEL_OPTIONS);
  const runner = new RowRunner(restFacade, "es");
  return {
    of: (row) => runner.unary(row, (rpc) => unaryMethod(client, rpc)),
    close: () => client.close(),
  };
}

function unaryMethod(client: Client, rpc: string): UnaryMethod {
  const { input, output, parent, name } = methodOf(rpc);
  return (request, metadata, options, done) =>
    client.makeUnaryRequest(
      `/${parent.typeName}/${name}`,
      (message: Raw) => Buffer.from(toBinary(input, create(input, message))),
      (bytes: Buffer) => fromBinary(output, bytes) as unknown as Raw,
      request,
      metadata,
      options,
      done,
    );
}
