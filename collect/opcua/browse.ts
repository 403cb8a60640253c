/** What an OPC UA server has: its variables with a number, as a configuration to edit or as profiles of sensors. */
import type { ClientSession, DataValue, ReferenceDescription } from "node-opcua-client";
import { stringify } from "yaml";
import { quoted } from "../../server/lib/quoted.ts";
import type { EndpointSettings } from "./config.ts";
import type { Opcua } from "./library.ts";
import { openSession } from "./session.ts";
import { numberOf } from "./values.ts";

/** Against address spaces without an end, and those that lead back into themselves. */
const MAX_DEPTH = 20;
const MAX_VARIABLES = 10_000;
/** Nodes of one request. */
const AT_ONCE = 100;
/** The server's own diagnostics, and the other standard objects. */
const STANDARD_NAMESPACE = 0;
/** The contract's limits. */
const MAX_TYPE = 50;
const MAX_UNIT = 20;
const MAX_ASSET_NAMES = 10;

export interface Variable {
  readonly nodeId: string;
  /** The names from the root to the variable. */
  readonly path: readonly string[];
  readonly displayName: string;
  readonly description: string;
  /** EngineeringUnits, where it has them. */
  readonly unit: string | undefined;
  /** EURange, where it has one. */
  readonly range: { readonly low: number; readonly high: number } | undefined;
}

/**
 * @param root a node, such as "ns=2;s=Hall"; by default all objects of the server
 * @throws Error where there are more variables than can be taken
 */
export async function browseServer(opcua: Opcua, endpoint: EndpointSettings, root = "ns=0;i=85"): Promise<Variable[]> {
  try {
    opcua.client.coerceNodeId(root);
  } catch (cause) {
    throw new Error(`--root is ${quoted(root)}, but it must be a node, such as ns=2;s=Hall`, { cause });
  }
  const { session, close } = await openSession(opcua, endpoint);
  try {
    return await new Browser(opcua, session).variables(root);
  } finally {
    await close();
  }
}

class Browser {
  readonly #opcua: Opcua;
  readonly #session: ClientSession;
  readonly #seen = new Set<string>();

  constructor(opcua: Opcua, session: ClientSession) {
    this.#opcua = opcua;
    this.#session = session;
  }

  /** Level by level, each node once. */
  async variables(root: string): Promise<Variable[]> {
    const { NodeClass } = this.#opcua.client;
    const found: { readonly nodeId: string; readonly path: readonly string[] }[] = [];
    let level: { readonly nodeId: string; readonly path: readonly string[] }[] = [{ nodeId: root, path: [] }];
    this.#seen.add(root);
    for (let depth = 0; depth < MAX_DEPTH && level.length > 0; depth++) {
      const next: typeof level = [];
      const references = await this.#references(
        level.map(({ nodeId }) => nodeId),
        "HierarchicalReferences",
      );
      for (const [i, { path }] of level.entries()) {
        for (const each of references[i]!) {
          const child = { nodeId: each.nodeId.toString(), path: [...path, nameOf(each)] };
          if (!this.#isNew(each, child.nodeId)) continue;
          if (each.nodeClass === NodeClass.Variable) found.push(child);
          next.push(child);
        }
      }
      if (found.length > MAX_VARIABLES) {
        throw new Error(`The server has more than ${MAX_VARIABLES} variables there: --root names a part of them.`);
      }
      level = next;
    }
    return await this.#described(found);
  }

  #isNew({ nodeId, isForward }: ReferenceDescription, id: string): boolean {
    if (!isForward || nodeId.namespace === STANDARD_NAMESPACE || this.#seen.has(id)) return false;
    this.#seen.add(id);
    return true;
  }

  /** Those with a number, and what the server says of them. */
  async #described(all: readonly { readonly nodeId: string; readonly path: readonly string[] }[]): Promise<Variable[]> {
    const { AttributeIds } = this.#opcua.client;
    const read = await this.#read(
      all.flatMap(({ nodeId }) => [
        { nodeId, attributeId: AttributeIds.Value },
        { nodeId, attributeId: AttributeIds.DataType },
      ]),
    );
    const numbers = all.filter((_, i) => isNumber(read[2 * i]!, read[2 * i + 1]!));
    const ids = numbers.map(({ nodeId }) => nodeId);
    const texts = await this.#read(
      ids.flatMap((nodeId) => [
        { nodeId, attributeId: AttributeIds.DisplayName },
        { nodeId, attributeId: AttributeIds.Description },
      ]),
    );
    const properties = await this.#references(ids, "HasProperty");
    const variables: Variable[] = [];
    for (const [i, each] of numbers.entries()) {
      variables.push({
        ...each,
        displayName: textOf(texts[2 * i]),
        description: textOf(texts[2 * i + 1]),
        ...(await this.#properties(properties[i]!)),
      });
    }
    return variables;
  }

  async #properties(references: readonly ReferenceDescription[]): Promise<Pick<Variable, "unit" | "range">> {
    const valueOfProperty = async (name: string) => {
      const found = references.find((each) => each.browseName.name === name);
      if (found === undefined) return undefined;
      const nodeId = found.nodeId.toString();
      const [data] = await this.#read([{ nodeId, attributeId: this.#opcua.client.AttributeIds.Value }]);
      return data?.value.value as unknown;
    };
    const units = (await valueOfProperty("EngineeringUnits")) as { displayName?: { text?: string } } | undefined;
    const range = (await valueOfProperty("EURange")) as { low?: number; high?: number } | undefined;
    const unit = units?.displayName?.text;
    return {
      unit: unit ? unit : undefined,
      range: range?.low !== undefined && range.high !== undefined ? { low: range.low, high: range.high } : undefined,
    };
  }

  async #references(nodeIds: readonly string[], referenceTypeId: string): Promise<ReferenceDescription[][]> {
    const { BrowseDirection, browseAll } = this.#opcua.client;
    const all: ReferenceDescription[][] = [];
    for (const some of slices(nodeIds)) {
      const results = await browseAll(
        this.#session,
        some.map((nodeId) => ({
          ...{ nodeId, referenceTypeId, includeSubtypes: true, browseDirection: BrowseDirection.Forward },
          ...{ nodeClassMask: OBJECTS_AND_VARIABLES, resultMask: ALL_FIELDS },
        })),
      );
      all.push(...results.map(({ references }) => references ?? []));
    }
    return all;
  }

  async #read(nodes: readonly { readonly nodeId: string; readonly attributeId: number }[]): Promise<DataValue[]> {
    const all: DataValue[] = [];
    for (const some of slices(nodes)) all.push(...(await this.#session.read([...some])));
    return all;
  }
}

/** By its value, or by its type where a device that is off gives none. */
function isNumber({ value }: DataValue, { value: type }: DataValue): boolean {
  if (numberOf(value) !== undefined) return true;
  const id = type.value as { namespace?: number; value?: unknown } | null;
  return value.value == null && id?.namespace === STANDARD_NAMESPACE && NUMBER_TYPES.has(Number(id.value));
}

/** Boolean, the integers, Float, Double; Number, Integer, UInteger (OPC 10000-6, annex A). */
const NUMBER_TYPES = new Set([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 26, 27, 28]);
const OBJECTS_AND_VARIABLES = 3;
const ALL_FIELDS = 63;

function* slices<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let i = 0; i < all.length; i += AT_ONCE) yield all.slice(i, i + AT_ONCE);
}

function nameOf({ browseName }: ReferenceDescription): string {
  return browseName.name ?? "";
}

function textOf(data: DataValue | undefined): string {
  const { text } = (data?.value.value ?? {}) as { text?: string | null };
  return text ?? "";
}

/** A configuration for `telltale collect opcua`, to be edited. */
export function configText(endpoint: EndpointSettings, variables: readonly Variable[]): string {
  const ids = sensorIds(variables);
  const nodes = variables.map(({ nodeId, path, unit }, i) => ({
    ...{ node_id: nodeId, sensor_id: ids[i], sensor_type: cut(path.at(-1)!, MAX_TYPE) },
    ...(unit !== undefined && { unit: cut(unit, MAX_UNIT) }),
  }));
  const { endpoint: url, securityPolicy, serverFingerprint, username } = endpoint;
  const server = {
    endpoint: url,
    ...(securityPolicy !== "none" && { security_policy: securityPolicy }),
    ...(serverFingerprint !== undefined && { server_fingerprint: serverFingerprint }),
    ...(username !== undefined && { username }),
  };
  const head = { spool: { folder: "/var/lib/telltale/opcua" }, server, sampling_interval: "1s" };
  return stringify({ ...head, nodes }, { lineWidth: 0 });
}

/** Profiles for `telltale sensor apply`: names, descriptions, places, and the range as attributes. */
export function sensorsText(variables: readonly Variable[]): string {
  const ids = sensorIds(variables);
  const sensors = variables.map(({ path, displayName, description, nodeId, range }, i) => ({
    sensor_id: ids[i],
    display_name: displayName,
    ...(description !== "" && { description }),
    ...(path.length > 1 && { asset: path.slice(0, -1).slice(-MAX_ASSET_NAMES).map(withoutSlash).join("/") }),
    attributes: {
      opcua_node: nodeId,
      ...(range !== undefined && { range_low: String(range.low), range_high: String(range.high) }),
    },
  }));
  return stringify({ sensors }, { lineWidth: 0 });
}

/** The browse path; where two have the same, with the node's id. */
function sensorIds(variables: readonly Variable[]): string[] {
  const paths = variables.map(({ path }) => path.map(withoutSlash).join("/"));
  return paths.map((path, i) =>
    paths.indexOf(path) === paths.lastIndexOf(path) ? path : `${path} (${variables[i]!.nodeId})`,
  );
}

const withoutSlash = (name: string) => name.replaceAll("/", "_");

function cut(text: string, most: number): string {
  return [...text].slice(0, most).join("");
}
