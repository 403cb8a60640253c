/** Serves a supergraph in this process. */
import { readFileSync } from "node:fs";
import { UnifiedGraphManager } from "@graphql-mesh/fusion-runtime";
import type { GraphQLSchema } from "graphql";
import { silentLogs } from "./logging.ts";
import { scalars } from "./scalars.ts";
import type { Facade } from "./tables.ts";
import { shapedTransport } from "./transport.ts";

/** What stands in gateway/generated. */
export function readSupergraph(file: string): string {
  return readFileSync(new URL(`../generated/${file}`, import.meta.url), "utf8");
}

/** There are no subscriptions to end. */
const NEVER = new AbortController().signal;

export interface Executable {
  /** Its resolvers call the services. */
  readonly schema: GraphQLSchema;
  close(): Promise<void>;
}

/** A supergraph as a schema that graphql-js can execute, with nothing around it. */
export async function executableSupergraph(file: string, facade: Facade, address: string): Promise<Executable> {
  const manager = new UnifiedGraphManager({
    getUnifiedGraph: () => readSupergraph(file),
    transports: { grpc: shapedTransport(facade, address, NEVER) },
    additionalResolvers: scalars as never,
    transportContext: silentLogs(),
  });
  const schema = await manager.getUnifiedGraph();
  return { schema, close: () => manager[Symbol.asyncDispose]() };
}
