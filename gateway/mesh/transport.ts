/**
 * Mesh's gRPC transport, extended by the shape. It runs what the schema's @grpcMethod directives say; the rows that say what becomes
 * of arguments and responses are found by the fields' names.
 */
import { createDefaultExecutor, type Transport } from "@graphql-mesh/transport-common";
import { GrpcTransportHelper } from "@graphql-mesh/transport-grpc";
import { makeDisposable } from "@graphql-mesh/utils";
import { type GrpcObject, loadPackageDefinition, type ServiceClientConstructor } from "@grpc/grpc-js";
import { fromJSON } from "@grpc/proto-loader";
import {
  type GraphQLFieldResolver,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  isObjectType,
  isScalarType,
  Kind,
  type SelectionSetNode,
} from "graphql";
import { batched } from "./batch.ts";
import { type CallContext, type Ending, type StreamMethod, type UnaryMethod, withCancelBudget } from "./call.ts";
import { CHANNEL_OPTIONS } from "./channel.ts";
import { Credentials } from "./credentials.ts";
import { toGraphQLError } from "./errors.ts";
import { RowRunner } from "./run.ts";
import { executable, scalars } from "./scalars.ts";
import { StreamConnections } from "./stream-connections.ts";
import type { Facade, Shaped } from "./tables.ts";

/** What Mesh hands to resolvers: ours, or that of an HTTP request. */
type Context = CallContext & { readonly request?: { readonly signal?: AbortSignal } };
type Resolver = GraphQLFieldResolver<unknown, Context>;
type MethodOfClient = { client: object; methodName: string; isResponseStream: boolean };

class ShapedTransport extends GrpcTransportHelper {
  readonly #runner: RowRunner;
  /** By the RPC's own name. */
  readonly #methods = new Map<string, UnaryMethod>();
  readonly #connections: StreamConnections;
  readonly #credentials = new Credentials();

  constructor(
    runner: RowRunner,
    connections: StreamConnections,
    ...helper: ConstructorParameters<typeof GrpcTransportHelper>
  ) {
    super(...helper);
    this.#connections = connections;
    this.#runner = runner;
  }

  /** Zero values must arrive as zeros, not as null, and ids as numbers. */
  override getGrpcObject({ rootJson }: { rootJson: Parameters<typeof fromJSON>[0] }): GrpcObject {
    return loadPackageDefinition(fromJSON(rootJson, { keepCase: true, longs: Number, defaults: true, arrays: true }));
  }

  override getFieldResolver({ client, methodName, isResponseStream }: MethodOfClient): Resolver {
    const method = (client as Record<string, unknown>)[methodName] as UnaryMethod;
    const bound = isResponseStream
      ? (this.#connections.method(client.constructor as ServiceClientConstructor, methodName) as unknown as UnaryMethod)
      : withCancelBudget(method.bind(client));
    this.#methods.set(rpcOf(client.constructor as ServiceClientConstructor, methodName), bound);
    // One method may serve several fields; which one it is is only known when the field is asked for.
    const resolvers = new Map<string, Resolver>();
    return (source, args, context, info) => {
      const key = `${info.parentType.name}.${info.fieldName}`;
      let resolver = resolvers.get(key);
      if (resolver === undefined) {
        resolver = this.#resolver(info.parentType.name, info.fieldName, bound, isResponseStream);
        resolvers.set(key, resolver);
      }
      return resolver(source, args, context, info);
    };
  }

  #resolver(root: string, name: string, method: UnaryMethod, isStream: boolean): Resolver {
    const row = this.#runner.row(root, name);
    if (isStream) {
      const run = this.#runner.stream(row, method as unknown as StreamMethod);
      return (_source, args, context, info) =>
        run(args, callContext(context), selects(info, "missed")).then(withGraphQLErrors, rethrow);
    }
    const run = this.#runner.unary(row, (rpc) => this.#methodOf(rpc));
    return (_source, args, context) => {
      const call = callContext(context);
      return this.#credentials.call(row.rpc, context.request ?? context, call, () => run(args, call)).catch(rethrow);
    };
  }

  /** Fields that another RPC fills, one call for all rows of an answer. */
  resolveBatches(schema: GraphQLSchema): void {
    for (const rule of Object.values(this.#runner.facade.types)) {
      const type = schema.getType(rule.name);
      if (!isObjectType(type)) continue;
      for (const [name, { batch }] of Object.entries(rule.fields)) {
        const field = type.getFields()[name];
        if (batch === undefined || field === undefined) continue;
        const load = batched(batch, this.#runner.shapers, this.#methodOf(batch.rpc));
        field.resolve = (parent: Shaped, _args, context: Context) => load(parent[name], context).catch(rethrow);
      }
    }
  }

  #methodOf(rpc: string): UnaryMethod {
    const method = this.#methods.get(rpc);
    if (method === undefined) throw new Error(`No row calls ${rpc}, but a batch needs it.`);
    return method;
  }
}

/** As rows name it: two services may have methods of one name. */
function rpcOf({ service }: ServiceClientConstructor, methodName: string): string {
  const [, serviceName, name] = /([^./]+)\/([^/]+)$/.exec(service[methodName]!.path)!;
  return `${serviceName}.${name}`;
}

function callContext({ headers, signal, request }: Context): CallContext {
  return { headers, signal: signal ?? request?.signal };
}

/** Whether the operation asks for this field of the values. */
function selects({ fieldNodes, fragments }: GraphQLResolveInfo, name: string): boolean {
  const within = (set: SelectionSetNode | undefined): boolean =>
    set?.selections.some((selection) => {
      if (selection.kind === Kind.FIELD) return selection.name.value === name;
      if (selection.kind === Kind.INLINE_FRAGMENT) return within(selection.selectionSet);
      return within(fragments[selection.name.value]?.selectionSet);
    }) ?? false;
  return fieldNodes.some(({ selectionSet }) => within(selectionSet));
}

function rethrow(error: unknown): never {
  throw toGraphQLError(error);
}

function withGraphQLErrors(values: AsyncIterableIterator<unknown>): AsyncIterableIterator<unknown> {
  return {
    next: () => values.next().catch(rethrow),
    return: () => values.return!(),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** @param address host:port of the services, without a scheme */
export function shapedTransport(facade: Facade, address: string, ending: Ending): Transport {
  return {
    getSubgraphExecutor({ transportEntry, subgraph, cwd, logger }) {
      const config = { ...transportEntry.options, channelOptions: CHANNEL_OPTIONS };
      const connections = new StreamConnections(address);
      const helper = new ShapedTransport(
        new RowRunner(facade, "proto", ending),
        connections,
        transportEntry.subgraph,
        cwd ?? ".",
        logger as never,
        address,
        config,
      );
      return Promise.resolve(helper.getCredentials()).then((creds) => {
        helper.processDirectives({ schema: subgraph, creds });
        helper.resolveBatches(subgraph);
        for (const [name, scalar] of Object.entries(scalars)) {
          const type = subgraph.getType(name);
          if (isScalarType(type)) Object.assign(type, executable(scalar));
        }
        return makeDisposable(createDefaultExecutor(subgraph), () => {
          connections.close();
          return helper.dispose();
        });
      });
    },
  };
}
