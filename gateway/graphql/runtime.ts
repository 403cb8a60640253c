/** Mesh's gateway for GraphQL over HTTP (queries, mutations, and subscriptions by SSE), in this process. */
import { createGatewayRuntime, type GatewayPlugin, type GatewayRuntime } from "@graphql-hive/gateway-runtime";
import {
  type DocumentNode,
  GraphQLError,
  type GraphQLErrorOptions,
  type GraphQLSchema,
  type ParseOptions,
  parse,
} from "graphql";
import type { Logger } from "pino";
import { scalars } from "../mesh/scalars.ts";
import { readSupergraph } from "../mesh/serve.ts";
import { shapedTransport } from "../mesh/transport.ts";
import { withSafeIntVariables } from "./integers.ts";
import { limitsRule, MAX_BATCH, MAX_TOKENS } from "./limits.ts";
import { graphqlFacade } from "./names.ts";

export const GRAPHQL_PATH = "/api/v1/graphql";

/** @param address host:port of the services, without a scheme */
export function graphqlRuntime(address: string, logger: Logger): GatewayRuntime {
  return createGatewayRuntime({
    supergraph: readSupergraph("supergraph.graphql"),
    transports: { grpc: shapedTransport(graphqlFacade, address) },
    additionalResolvers: scalars as never,
    graphqlEndpoint: GRAPHQL_PATH,
    healthCheckEndpoint: `${GRAPHQL_PATH}/unused-health`,
    readinessCheckEndpoint: `${GRAPHQL_PATH}/unused-readiness`,
    landingPage: false,
    // The page is ours: theirs would ask a network that may not be there.
    graphiql: false,
    batching: { limit: MAX_BATCH },
    maskedErrors: { maskError: (error) => masked(error, logger) },
    subgraphErrors: { subgraphNameProp: false },
    plugins: () => [operations()],
    logging: false,
    // CORS is one layer for the whole port.
    cors: false,
  });
}

/** What nobody meant for a client is logged and not told. */
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

/** Bounds on operations, and Int variables for SafeInt arguments. */
function operations(): GatewayPlugin {
  let schema: GraphQLSchema | undefined;
  // Mesh caches parsed documents; the same one must give the same one here, for validation is cached by it.
  const taken = new WeakMap<DocumentNode, DocumentNode>();
  return {
    onSchemaChange: (change) => {
      schema = change.schema;
    },
    onParse({ setParseFn }) {
      setParseFn((source: string, options?: ParseOptions) => parse(source, { ...options, maxTokens: MAX_TOKENS }));
      return ({ result, replaceParseResult }) => {
        if (schema === undefined || result === null || result instanceof Error) return;
        const document = result as DocumentNode;
        const known = taken.get(document) ?? withSafeIntVariables(schema, document);
        taken.set(document, known);
        taken.set(known, known);
        if (known !== document) replaceParseResult(known);
      };
    },
    onValidate: ({ addValidationRule }) => addValidationRule(limitsRule),
  };
}
