/**
 * Composes the supergraphs out of `proto/`: `npm run generate:gateway` writes them, with `--check` it only compares and fails
 * where the committed ones are out of date.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
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
import { type RawMethods, shapedSchema } from "./shape.ts";
import type { Facade } from "./tables.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
export const SUBGRAPH = "telltale";
const FACADES: readonly (readonly [file: string, facade: Facade])[] = [
  ["supergraph.graphql", graphqlFacade],
  ["supergraph.rest.graphql", restFacade],
];

type LoaderContext = Parameters<ReturnType<typeof loadGrpcSubgraph>>[0];

/** Says only what went wrong. */
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
 * What the transport needs of the contracts to encode and decode: the services that the rows name, without comments and rules,
 * in an order that does not depend on which file was read first.
 */
function prunedRoot(rootJson: string, facade: Facade): string {
  const services = new Set(facade.rows.map((row) => row.rpc.split(".")[0]!));
  const prune = (node: Nested): Nested => {
    const pruned: Nested = {};
    for (const [key, value] of Object.entries(node)) {
      if (key === "comment" || key === "comments" || key.startsWith("(buf.validate")) continue;
      if (key === "parsedOptions" || key === "buf") continue;
      if (key === "nested") pruned.nested = sorted(value as Record<string, Nested>);
      else if (typeof value === "object" && value !== null && !Array.isArray(value))
        pruned[key] = prune(value as Nested);
      else pruned[key] = value;
    }
    return pruned;
  };
  const sorted = (nested: Record<string, Nested>): Record<string, Nested> =>
    Object.fromEntries(
      Object.entries(nested)
        .filter(([name, node]) => name !== "buf" && (node.methods === undefined || services.has(name)))
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, node]) => [name, prune(node)]),
    );
  const root = JSON.parse(rootJson) as Record<string, Nested> | Nested;
  return JSON.stringify("nested" in root ? prune(root as Nested) : sorted(root as Record<string, Nested>));
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
