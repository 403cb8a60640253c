/**
 * What one GraphQL operation may ask for: checked on the document as it was parsed, before validation, authorization and any call.
 * Each fragment is measured once and its measure used wherever it is spread, so that the check takes time in proportion to the text
 * and not to what the text stands for.
 */
import {
  type ASTVisitor,
  type DocumentNode,
  type FieldNode,
  type FloatValueNode,
  type FragmentDefinitionNode,
  GraphQLError,
  type IntValueNode,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
  type ValidationContext,
  type ValueNode,
} from "graphql";
import { parseIso } from "../../formats/time.ts";

/** The deepest useful query (a list of sensors with their latest readings' metadata) is 4 deep. */
export const MAX_DEPTH = 10;
/** Each field of the roots is a call of a service. */
export const MAX_ROOT_FIELDS = 20;
/** Values that an answer may hold: ten pages of 1,000 readings with ten fields each. */
export const MAX_COST = 100_000;
/** Values that introspection may answer with: twice what the usual query of clients and editors asks for. */
export const MAX_INTROSPECTION_COST = 100_000;
/** Fields and spreads, with every fragment counted wherever it is spread: what is executed is as large as that. */
export const MAX_SELECTIONS = 2_000;
/** Validation compares fragments pair by pair. */
export const MAX_FRAGMENTS = 50;
/** Each operation of a document is validated, though only one is executed. */
export const MAX_OPERATIONS = 20;
/** Of the text, before it is understood; an operation of this size has no use. */
export const MAX_TOKENS = 2_000;
/** Of the text: a reading's largest metadata written out, twice. */
export const MAX_CHARACTERS = 32 * 1024;
/** Operations in one HTTP request. */
export const MAX_BATCH = 10;

/** Lists are as long as their `limit`; one given by a variable, or none, may be the longest. */
const LONGEST_LIST = 1_000;
const DEFAULT_LIST = 100;
/** What a service gives at most, where it is more than that. */
const LONGER_LISTS: ReadonlyMap<string, number> = new Map([["sensors", 100_000]]);
const MOST_BUCKETS = 10_000;

/** Elements of a chart's arrays, which no resolver is called for, that are as much as a value. */
const PACKED = 10;
/** Sensors and columns of charts where they are not known, and the sensors of a map without `top`. */
const CHART_SENSORS = 20;
const CHART_COLUMNS = 2_000;
const MAP_TOP = 50;

/** Root fields whose answers are lists, with their lengths without a `limit`: a test compares. What is inside of them is counted so often. */
export const LISTS: ReadonlyMap<string, number> = new Map([
  ["sensorData", DEFAULT_LIST],
  ["sensorDataPage", DEFAULT_LIST],
  ["anomalyAlerts", DEFAULT_LIST],
  ["anomalyAlertsPage", DEFAULT_LIST],
  ["sensors", DEFAULT_LIST],
  ["registeredSensors", DEFAULT_LIST],
  ["assetTree", LONGEST_LIST],
  ["sensorDeletions", DEFAULT_LIST],
  ["silences", DEFAULT_LIST],
  ["notificationDeliveries", DEFAULT_LIST],
  ["aggregates", DEFAULT_LIST],
  ["maintenanceWindows", LONGEST_LIST],
  ["maintenanceWindowsPage", DEFAULT_LIST],
  ["tokens", LONGEST_LIST],
  ["tokensPage", DEFAULT_LIST],
  ["incidents", DEFAULT_LIST],
  ["incident", DEFAULT_LIST],
  ["auditEvents", DEFAULT_LIST],
  ["auditEventsPage", DEFAULT_LIST],
  ["notifiedAlerts", DEFAULT_LIST],
]);
/** Of a sensor with many units; nearly all have one. */
const UNITS = 20;

/** Mean lengths of introspection's lists in this schema, rounded up: a test compares. What is not here is a list of one, or none. */
export const INTROSPECTION_LISTS: ReadonlyMap<string, number> = new Map([
  ["types", 130],
  ["fields", 8],
  ["directives", 10],
  ["locations", 8],
]);

/** What is wrong with the document's size, or undefined. */
export function limitsError(document: DocumentNode): GraphQLError | undefined {
  const { fragments, operations } = definitionsOf(document);
  if (fragments.size > MAX_FRAGMENTS) return tooLarge("number of fragments", fragments.size, MAX_FRAGMENTS);
  if (operations.length > MAX_OPERATIONS) return tooLarge("number of operations", operations.length, MAX_OPERATIONS);
  const meter = new Meter(fragments);
  try {
    // Those that nothing spreads are validated too.
    for (const name of fragments.keys()) meter.fragment(name, "field");
    for (const operation of operations) {
      const error = operationError(meter.selections(operation.selectionSet, "root"));
      if (error !== undefined) return error;
    }
    return undefined;
  } catch (error) {
    if (error instanceof GraphQLError) return error;
    throw error;
  }
}

function definitionsOf({ definitions }: DocumentNode) {
  const fragments = new Map<string, FragmentDefinitionNode>();
  const operations: OperationDefinitionNode[] = [];
  for (const definition of definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
    if (definition.kind === Kind.OPERATION_DEFINITION) operations.push(definition);
  }
  return { fragments, operations };
}

function operationError({ depth, cost, introspection, roots, selections }: Measure): GraphQLError | undefined {
  if (roots > MAX_ROOT_FIELDS) return tooLarge("number of root fields", roots, MAX_ROOT_FIELDS);
  if (depth > MAX_DEPTH) return tooLarge("depth", depth, MAX_DEPTH);
  if (cost > MAX_COST) return tooLarge("cost (fields times list lengths)", cost, MAX_COST);
  if (selections > MAX_SELECTIONS) return tooLarge("number of selections", selections, MAX_SELECTIONS);
  if (introspection > MAX_INTROSPECTION_COST)
    return tooLarge("introspection (fields times list lengths)", introspection, MAX_INTROSPECTION_COST);
  return undefined;
}

function tooLarge(what: string, is: number, most: number): GraphQLError {
  // Past this a number says no more, and may be infinite.
  const amount = is > 1e12 ? "more than 10^12" : String(is);
  return new GraphQLError(`The operation's ${what} is ${amount}; at most ${most} is allowed. Ask for less at once.`, {
    extensions: { code: "OPERATION_TOO_LARGE" },
  });
}

/** Where a selection stands: fields of the roots are calls, and introspection has lists of its own. */
type Place = "root" | "field" | "introspection";

interface Measure {
  depth: number;
  /** Values of the answer, without introspection's. */
  cost: number;
  introspection: number;
  /** Fields at the level of the selection itself that call a service. */
  roots: number;
  selections: number;
}

/** The values of an operation's variables; undefined while they are not known. */
type Variables = Readonly<Record<string, unknown>> | undefined;

class Meter {
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  readonly #variables: Variables;
  /** By place and name; undefined while it is being measured. */
  readonly #known = new Map<string, Measure | undefined>();

  constructor(fragments: ReadonlyMap<string, FragmentDefinitionNode>, variables?: Variables) {
    this.#fragments = fragments;
    this.#variables = variables;
  }

  selections({ selections }: SelectionSetNode, place: Place): Measure {
    const sum = nothing();
    for (const selection of selections) add(sum, this.#selection(selection, place));
    return sum;
  }

  /** @throws GraphQLError for a fragment that contains itself */
  fragment(name: string, place: Place): Measure {
    const key = `${place} ${name}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#known.has(key)) {
      const message = `Cannot spread fragment "${name}" within itself.`;
      throw new GraphQLError(message, { extensions: { code: "GRAPHQL_VALIDATION_FAILED" } });
    }
    const definition = this.#fragments.get(name);
    // That it is not there is for validation to say.
    if (definition === undefined) return nothing();
    this.#known.set(key, undefined);
    const measure = this.selections(definition.selectionSet, place);
    this.#known.set(key, measure);
    return measure;
  }

  #selection(selection: SelectionNode, place: Place): Measure {
    if (selection.kind === Kind.FIELD) return this.#field(selection, place);
    const inner =
      selection.kind === Kind.INLINE_FRAGMENT
        ? this.selections(selection.selectionSet, place)
        : this.fragment(selection.name.value, place);
    return { ...inner, selections: inner.selections + 1 };
  }

  #field(field: FieldNode, place: Place): Measure {
    const name = field.name.value;
    const introspects = place === "introspection" || name.startsWith("__");
    const inner =
      field.selectionSet === undefined
        ? nothing()
        : this.selections(field.selectionSet, introspects ? "introspection" : "field");
    const selections = inner.selections + 1;
    if (introspects) {
      const introspection = (1 + inner.introspection) * (INTROSPECTION_LISTS.get(name) ?? 1);
      return { ...nothing(), introspection, selections };
    }
    const cost = (1 + inner.cost) * listLength(field, place, this.#variables);
    return { depth: 1 + inner.depth, cost, introspection: inner.introspection, roots: 1, selections };
  }
}

function nothing(): Measure {
  return { depth: 0, cost: 0, introspection: 0, roots: 0, selections: 0 };
}

function add(sum: Measure, { depth, cost, introspection, roots, selections }: Measure): void {
  sum.depth = Math.max(sum.depth, depth);
  sum.cost += cost;
  sum.introspection += introspection;
  sum.roots += roots;
  sum.selections += selections;
}

function listLength(field: FieldNode, place: Place, variables: Variables): number {
  const name = field.name.value;
  const argument = (wanted: string) => field.arguments?.find((each) => each.name.value === wanted)?.value;
  const limit = argument("limit");
  if (limit !== undefined) return numberOf(limit, LONGER_LISTS.get(name) ?? LONGEST_LIST, variables);
  if (place === "root" && (name === "series" || name === "anomalyHeatmap")) return chartLength(argument, variables);
  if (argument("sensorIds") !== undefined) return LONGEST_LIST;
  if (name === "aggregates" && variables !== undefined) return bucketsOf(argument, variables);
  if (name === "units" && field.selectionSet !== undefined) return UNITS;
  return (place === "root" ? LISTS.get(name) : undefined) ?? 1;
}

function numberOf(value: ValueNode, longest: number, variables: Variables): number {
  const given = plainOf(value, variables);
  const number = typeof given === "string" || typeof given === "number" ? Number(given) : Number.NaN;
  // A variable that is not known yet, or null, which stands for the service's own limit.
  return Number.isNaN(number) ? LONGEST_LIST : Math.max(0, Math.min(number, longest));
}

/** Buckets of the range, were each to hold a reading. */
function bucketsOf(argument: (name: string) => ValueNode | undefined, variables: Variables): number {
  const [from, to, width] = ["startTime", "endTime", "bucketSeconds"].map((name) => plainOf(argument(name), variables));
  const seconds = (time: unknown) => parseIso(String(time))?.seconds ?? Number.NaN;
  const buckets = (seconds(to) - seconds(from)) / Number(width);
  return buckets >= 0 && buckets <= MOST_BUCKETS ? Math.ceil(buckets) : MOST_BUCKETS;
}

/** Sensors times columns, as far as they are known. */
function chartLength(argument: (name: string) => ValueNode | undefined, variables: Variables): number {
  const numberOr = (name: string, otherwise: number) => {
    const given = Number(plainOf(argument(name), variables) ?? Number.NaN);
    return given >= 0 ? given : otherwise;
  };
  const ids = argument("sensorIds");
  const list = ids?.kind === Kind.LIST ? ids.values : plainOf(ids, variables);
  const sensors = ids === undefined ? numberOr("top", MAP_TOP) : Array.isArray(list) ? list.length : CHART_SENSORS;
  return Math.ceil((sensors * numberOr("columns", CHART_COLUMNS)) / PACKED);
}

/** What a literal or a known variable says; undefined for all else. */
function plainOf(value: ValueNode | undefined, variables: Variables): unknown {
  if (value?.kind === Kind.VARIABLE) return variables?.[value.name.value];
  return value !== undefined && "value" in value ? value.value : undefined;
}

/**
 * Values that an operation's answer may hold, with those of introspection, now that its variables are known.
 *
 * @throws GraphQLError where they are too many
 */
export function operationCost(document: DocumentNode, operationName: string | undefined, variables: object): number {
  const { fragments, operations } = definitionsOf(document);
  const operation = operations.find(({ name }) => name?.value === operationName) ?? operations[0];
  if (operation === undefined) return 0;
  const meter = new Meter(fragments, variables as Record<string, unknown>);
  const measure = meter.selections(operation.selectionSet, "root");
  const error = operationError(measure);
  if (error !== undefined) throw error;
  return measure.cost + measure.introspection;
}

/** A validation rule for graphql-js: a literal past what a double holds would become an infinity on its way to the services. */
export function finiteNumbersRule(context: ValidationContext): ASTVisitor {
  return {
    FloatValue: (node) => refuseInfinite(context, node),
    IntValue: (node) => refuseInfinite(context, node),
  };
}

function refuseInfinite(context: ValidationContext, node: FloatValueNode | IntValueNode): void {
  if (Number.isFinite(Number(node.value))) return;
  const given = node.value.length > MAX_QUOTED ? `${node.value.slice(0, MAX_QUOTED)}…` : node.value;
  const message = `${given} is larger than any number that can be stored (about 1.8e308): give a finite number.`;
  context.reportError(new GraphQLError(message, { nodes: node, extensions: { code: "BAD_USER_INPUT" } }));
}

/** Enough of a number to recognise it by. */
const MAX_QUOTED = 60;
