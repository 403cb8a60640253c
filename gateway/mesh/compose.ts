/**
 * Composes the supergraphs out of `proto/`: `npm run generate:gateway` writes them, with `--check` it only compares and fails
 * where the committed ones are out of date.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { DescMessage } from "@bufbuild/protobuf";
import { getComposedSchemaFromConfig } from "@graphql-mesh/compose-cli";
import { loadGrpcSubgraph } from "@omnigraph/grpc";
import {
  type DirectiveNode,
  type GraphQLField,
  type GraphQLSchema,
  isInputObjectType,
  isObjectType,
  print,
} from "graphql";
import { graphqlFacade } from "../graphql/names.ts";
import { restFacade } from "../rest/names.ts";
import { methodOf, PACKAGE } from "./contracts.ts";
import { type RawMethods, shapedSchema } from "./shape.ts";
import type { Facade } from "./tables.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SUBGRAPH = "telltale";
const FACADES: readonly (readonly [file: string, facade: Facade])[] = [
  ["supergraph.graphql", graphqlFacade],
  ["supergraph.rest.graphql", restFacade],
];

type LoaderContext = Parameters<ReturnType<typeof loadGrpcSubgraph>>[0];

/** Logs errors only. */
const quiet = {
  debug: () => undefined,
  info: () => undefined,
  log: () => undefined,
  warn: console.error,
  error: console.error,
  child: () => quiet,
} as unknown as LoaderContext["logger"];

async function compose(facade: Facade): Promise<string> {
  const load = loadGrpcSubgraph(SUBGRAPH, {
    // Only a placeholder: who serves the supergraph says where the services are.
    endpoint: "localhost:50051",
    source: {
      file: "proto/telltale/v1/*.proto",
      load: {
        keepCase: true,
        includeDirs: ["proto", "third_party/protovalidate", "node_modules/protobufjs"].map((folder) =>
          join(ROOT, folder),
        ),
      },
    },
  } as Parameters<typeof loadGrpcSubgraph>[1]);
  const sdl = await getComposedSchemaFromConfig(
    {
      cwd: ROOT,
      subgraphs: [
        {
          sourceHandler: (context) => {
            const loaded = load(context as LoaderContext);
            return { ...loaded, schema$: Promise.resolve(loaded.schema$).then((raw) => shape(raw, facade)) };
          },
        },
      ],
    } as Parameters<typeof getComposedSchemaFromConfig>[0],
    quiet as never,
  );
  return `${sdl.trimEnd()}\n`;
}

function shape(raw: GraphQLSchema, facade: Facade): GraphQLSchema {
  const shaped = shapedSchema(facade, rawMethods(raw));
  const { transport } = raw.extensions.directives as {
    transport: { options: { roots: { name: string; rootJson: string }[] } };
  };
  const roots = transport.options.roots.map(({ name, rootJson }) => ({ name, rootJson: prunedRoot(rootJson, facade) }));
  shaped.extensions = { directives: { transport: { ...transport, options: { roots } } } };
  return shaped;
}

function rawMethods(raw: GraphQLSchema): RawMethods {
  const fieldOf = (rpc: string, root: string): GraphQLField<unknown, unknown> | undefined => {
    const type = raw.getType(root);
    return isObjectType(type) ? type.getFields()[`telltale_v1_${rpc.replace(".", "_")}`] : undefined;
  };
  return {
    // The loader guesses Query or Mutation by the method's name; the row knows better.
    grpcMethod: (rpc, root) => {
      const roots = root === "Subscription" ? [root] : ["Query", "Mutation"];
      const field = roots.map((candidate) => fieldOf(rpc, candidate)).find((candidate) => candidate !== undefined);
      const directive = field?.astNode?.directives?.find(
        (candidate: DirectiveNode) => candidate.name.value === "grpcMethod",
      );
      if (directive === undefined) throw new Error(`The loader made no ${root} field of ${rpc}.`);
      return print(directive);
    },
    description: (kind, name) => {
      if (kind === "method") return (fieldOf(name, "Query") ?? fieldOf(name, "Mutation"))?.description ?? undefined;
      const [typeName, fieldName] = kind === "message" ? [name, undefined] : splitLast(name);
      const rawName = typeName.replaceAll(".", "__");
      const type = raw.getType(rawName) ?? raw.getType(`${rawName}_Input`);
      if (!isObjectType(type) && !isInputObjectType(type)) return undefined;
      return (fieldName === undefined ? type.description : type.getFields()[fieldName]?.description) ?? undefined;
    },
  };
}

function splitLast(name: string): [string, string] {
  const dot = name.lastIndexOf(".");
  return [name.slice(0, dot), name.slice(dot + 1)];
}

interface Nested {
  nested?: Record<string, Nested>;
  methods?: Record<string, unknown>;
  [key: string]: unknown;
}

/**
 * What the transport needs of the contracts to encode and decode: the RPCs that the rows name with the types that they reach, without
 * comments and rules, in an order that does not depend on which file was read first.
 */
function prunedRoot(rootJson: string, facade: Facade): string {
  const rpcs = facade.rows.flatMap((row) => [row.rpc, ...batchesOf(facade)]);
  const wanted = new Set<string>(rpcs.map((rpc) => `${PACKAGE}.${rpc}`));
  for (const rpc of rpcs) {
    const { input, output, parent } = methodOf(rpc);
    wanted.add(parent.typeName);
    for (const message of [input, output]) reach(message, wanted);
  }
  const root = JSON.parse(rootJson) as Nested;
  return JSON.stringify({ nested: prunedAll(root.nested ?? (root as Record<string, Nested>), "", wanted) });
}

function batchesOf(facade: Facade): string[] {
  return Object.values(facade.types).flatMap(({ fields }) =>
    Object.values(fields).flatMap(({ batch }) => (batch === undefined ? [] : [batch.rpc])),
  );
}

/** Adds the names of a message and of all that its fields lead to. */
function reach(message: DescMessage, names: Set<string>): void {
  if (names.has(message.typeName)) return;
  names.add(message.typeName);
  for (const field of message.fields) {
    if (field.enum !== undefined) names.add(field.enum.typeName);
    if (field.message !== undefined) reach(field.message, names);
  }
}

function prunedAll(nested: Record<string, Nested>, scope: string, wanted: ReadonlySet<string>): Record<string, Nested> {
  return Object.fromEntries(
    Object.entries(nested)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([name, node]): [string, Nested][] => {
        const fullName = scope === "" ? name : `${scope}.${name}`;
        const isType = ["fields", "values", "methods"].some((key) => key in node);
        if (isType) return wanted.has(fullName) ? [[name, bare(node, fullName, wanted)]] : [];
        const inner = prunedAll(node.nested ?? {}, fullName, wanted);
        return Object.keys(inner).length === 0 ? [] : [[name, { nested: inner }]];
      }),
  );
}

/** A type as the codec needs it: no comments, no rules, and of a service only the methods that are called. */
function bare(node: Nested, fullName: string, wanted: ReadonlySet<string>): Nested {
  // A comment is a text; a field may be called "comment" too.
  const keep = ([key, value]: [string, unknown]) =>
    (key !== "comment" || (typeof value === "object" && value !== null)) &&
    key !== "comments" &&
    key !== "parsedOptions" &&
    !key.startsWith("(buf.validate");
  const strip = (value: unknown): unknown =>
    typeof value !== "object" || value === null || Array.isArray(value)
      ? value
      : Object.fromEntries(
          Object.entries(value)
            .filter(keep)
            .map(([key, inner]) => [key, strip(inner)]),
        );
  const { methods, nested, ...own } = node;
  const called = Object.entries(methods ?? {}).filter(([name]) => wanted.has(`${fullName}.${name}`));
  const inner = prunedAll(nested ?? {}, fullName, wanted);
  return {
    ...(strip(own) as Nested),
    ...(methods === undefined ? {} : { methods: strip(Object.fromEntries(called)) as Record<string, unknown> }),
    ...(Object.keys(inner).length === 0 ? {} : { nested: inner }),
  };
}

const check = process.argv.includes("--check");
let stale = false;
for (const [file, facade] of FACADES) {
  const path = join(ROOT, "gateway", "generated", file);
  const sdl = await compose(facade);
  if (!check) await writeFile(path, sdl);
  else if (sdl !== (await readFile(path, "utf8"))) {
    stale = true;
    console.error(`gateway/generated/${file} is out of date: run npm run generate:gateway and commit it.`);
  }
}
process.exitCode = stale ? 1 : 0;
