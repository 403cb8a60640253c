/**
 * Mesh's gRPC transport, taught the shape. It runs what the schema's @grpcMethod directives say; the rows that say what becomes
 * of arguments and responses are found by the fields' names.
 */
import { createDefaultExecutor, type Transport } from "@graphql-mesh/transport-common";
import { GrpcTransportHelper } from "@graphql-mesh/transport-grpc";
import { makeDisposable } from "@graphql-mesh/utils";
import { type GrpcObject, loadPackageDefinition, type ServiceClientConstructor } from "@grpc/grpc-js";
import { fromJSON } from "@grpc/proto-loader";
import { type GraphQLFieldResolver, type GraphQLSchema, isObjectType, isScalarType } from "graphql";
import { batched } from "./batch.ts";
import type { CallContext, StreamMethod, UnaryMethod } from "./call.ts";
import { CHANNEL_OPTIONS } from "./channel.ts";
import { toGraphQLError } from "./errors.ts";
import { Lanes } from "./lanes.ts";
import { RowRunner } from "./run.ts";
import { executable, scalars } from "./scalars.ts";
import type { Facade, Shaped } from "./tables.ts";

/** What Mesh hands to resolvers: ours, or that of an HTTP request. */
type Context = CallContext & { readonly request?: { readonly signal?: AbortSignal } };
type Resolver = GraphQLFieldResolver<unknown, Context>;
type MethodOfClient = { client: object; methodName: string; isResponseStream: boolean };

class ShapedTransport extends GrpcTransportHelper {
  readonly #runner: RowRunner;
  /** By the RPC's own name. */
  readonly #methods = new Map<string, UnaryMethod>();
  readonly #lanes: Lanes;

  constructor(facade: Facade, lanes: Lanes, ...helper: ConstructorParameters<typeof GrpcTransportHelper>) {
    super(...helper);
    this.#lanes = lanes;
    this.#runner = new RowRunner(facade, "proto");
  }

  /** Zero values must arrive as zeros, not as null, and ids as numbers. */
  override getGrpcObject({ rootJson }: { rootJson: Parameters<typeof fromJSON>[0] }): GrpcObject {
    return loadPackageDefinition(fromJSON(rootJson, { keepCase: true, longs: Number, defaults: true, arrays: true }));
  }

  override getFieldResolver({ client, methodName, isResponseStream }: MethodOfClient): Resolver {
    const method = (client as Record<string, unknown>)[methodName] as UnaryMethod;
    const bound = isResponseStream
      ? (this.#lanes.method(client.constructor as ServiceClientConstructor, methodName) as unknown as UnaryMethod)
      : method.bind(client);
    this.#methods.set(methodName, bound);
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
      return (_source, args, context) => run(args, callContext(context)).then(withGraphQLErrors, rethrow);
    }
    const run = this.#runner.unary(row, (rpc) => this.#methodOf(rpc));
    return (_source, args, context) => run(args, callContext(context)).catch(rethrow);
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
    const method = this.#methods.get(rpc.split(".")[1]!);
    if (method === undefined) throw new Error(`No row calls ${rpc}, but a batch needs it.`);
    return method;
  }
}

function callContext({ headers, signal, request }: Context): CallContext {
  return { headers, signal: signal ?? request?.signal };
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
export function shapedTransport(facade: Facade, address: string): Transport {
  return {
    getSubgraphExecutor({ transportEntry, subgraph, cwd, logger }) {
      const config = { ...transportEntry.options, channelOptions: CHANNEL_OPTIONS };
      const lanes = new Lanes(address);
      const helper = new ShapedTransport(
        facade,
        lanes,
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
          lanes.close();
          return helper.dispose();
        });
      });
    },
  };
}
