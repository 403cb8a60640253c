/** Mesh's gateway for GraphQL over HTTP (queries, mutations, and subscriptions by SSE), in this process. */
import { createGatewayRuntime, type GatewayRuntime } from "@graphql-hive/gateway-runtime";
import { GraphQLError, type GraphQLErrorOptions } from "graphql";
import type { Logger } from "pino";
import { scalars } from "../mesh/scalars.ts";
import { readSupergraph } from "../mesh/serve.ts";
import { shapedTransport } from "../mesh/transport.ts";
import { documents, keptDocuments } from "./documents.ts";
import { MAX_BATCH } from "./limits.ts";
import { graphqlFacade } from "./names.ts";
import { compressionPlugin, type Live, subscriptionsPlugin } from "./subscriptions.ts";
import { turns } from "./turns.ts";
import { declaredVariables } from "./variables.ts";

export const GRAPHQL_PATH = "/api/v1/graphql";

/** @param address host:port of the services, without a scheme */
export function graphqlRuntime(address: string, logger: Logger, live: Live): GatewayRuntime {
  const kept = keptDocuments();
  return createGatewayRuntime({
    supergraph: readSupergraph("supergraph.graphql"),
    transports: { grpc: shapedTransport(graphqlFacade, address, live.ending) },
    additionalResolvers: scalars as never,
    graphqlEndpoint: GRAPHQL_PATH,
    healthCheckEndpoint: `${GRAPHQL_PATH}/unused-health`,
    readinessCheckEndpoint: `${GRAPHQL_PATH}/unused-readiness`,
    landingPage: false,
    // The page is ours: theirs would ask a network that may not be there.
    graphiql: false,
    batching: { limit: MAX_BATCH },
    // One request for all root fields would make an answer of one piece: nobody else is served until all of it is shaped. And one field
    // that fails would take the others' answers, and they its error, with it.
    __experimental__batchExecution: false,
    maskedErrors: { maskError: (error) => masked(error, logger) },
    subgraphErrors: { subgraphNameProp: false },
    plugins: () => [documents(kept), declaredVariables(), turns(kept), subscriptionsPlugin(live), compressionPlugin()],
    logging: false,
    // CORS is one layer for the whole port.
    cors: false,
  });
}

/** What nobody meant for a client is logged and not sent. */
function masked(error: unknown, logger: Logger): Error {
  if (error instanceof GraphQLError && error.extensions.code !== undefined) return error;
  if (error instanceof GraphQLError && (error.originalError == null || error.originalError instanceof GraphQLError))
    return withCode(error);
  // Only the request's own JSON is parsed on the way here: a query string's variables.
  if (error instanceof SyntaxError) {
    const message = `The request's variables or extensions are not JSON: ${error.message}.`;
    return new GraphQLError(message, { extensions: { code: "BAD_REQUEST", http: { status: 400 } } });
  }
  logger.error({ err: error }, "graphql operation failed");
  return new GraphQLError("Internal server error", { extensions: { code: "INTERNAL_SERVER_ERROR" } });
}

/** graphql-js gives no code to what is wrong with an operation's variables. */
function withCode(error: GraphQLError): GraphQLError {
  const { message, nodes, source, positions, path, originalError, extensions } = error;
  return new GraphQLError(message, {
    nodes,
    source,
    positions,
    path,
    originalError,
    extensions: { ...extensions, code: "BAD_USER_INPUT" },
  } as GraphQLErrorOptions);
}
