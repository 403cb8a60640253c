/** What one GraphQL operation may ask for: checked before anything is called. */
import {
  type ASTVisitor,
  type FieldNode,
  type FloatValueNode,
  type FragmentDefinitionNode,
  GraphQLError,
  type IntValueNode,
  Kind,
  type SelectionSetNode,
  type ValidationContext,
  type ValueNode,
} from "graphql";

/** The deepest useful query (a list of sensors with their latest readings' metadata) is 4 deep. */
export const MAX_DEPTH = 10;
/** Each field of the roots is a call of a service. */
export const MAX_ROOT_FIELDS = 20;
/** Values that an answer may hold: ten pages of 1,000 readings with ten fields each. */
export const MAX_COST = 100_000;
/** Of the text, before it is understood; an operation of this size has no use. */
export const MAX_TOKENS = 2_000;
/** Operations in one HTTP request. */
export const MAX_BATCH = 10;

/** Lists are as long as their `limit`; one given by a variable, or none, may be the longest. */
const LONGEST_LIST = 1_000;
const DEFAULT_LIST = 100;

interface Measure {
  readonly depth: number;
  readonly cost: number;
}

/** A validation rule for graphql-js. */
export function limitsRule(context: ValidationContext): ASTVisitor {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of context.getDocument().definitions)
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  return {
    FloatValue: (node) => refuseInfinite(context, node),
    IntValue: (node) => refuseInfinite(context, node),
    OperationDefinition(node) {
      const fields = fieldsOf(node.selectionSet, fragments, new Set());
      // Introspection is read from the schema in memory.
      const calling = fields.filter(({ field }) => !field.name.value.startsWith("__"));
      const refuse = (what: string, is: number, most: number) =>
        context.reportError(
          new GraphQLError(`The operation's ${what} is ${is}; at most ${most} is allowed. Ask for less at once.`, {
            nodes: node,
            extensions: { code: "OPERATION_TOO_LARGE" },
          }),
        );
      if (calling.length > MAX_ROOT_FIELDS) return refuse("number of root fields", calling.length, MAX_ROOT_FIELDS);
      const { depth, cost } = measure(calling, fragments, true);
      if (depth > MAX_DEPTH) refuse("depth", depth, MAX_DEPTH);
      else if (cost > MAX_COST) refuse("cost (fields times list lengths)", cost, MAX_COST);
    },
  };
}

/** A literal past what a double holds would become an infinity on its way to the services. */
function refuseInfinite(context: ValidationContext, node: FloatValueNode | IntValueNode): void {
  if (Number.isFinite(Number(node.value))) return;
  const shown = node.value.length > MAX_SHOWN ? `${node.value.slice(0, MAX_SHOWN)}…` : node.value;
  const message = `${shown} is larger than any number that can be stored (about 1.8e308): give a finite number.`;
  context.reportError(new GraphQLError(message, { nodes: node, extensions: { code: "BAD_USER_INPUT" } }));
}

/** Enough of a number to recognise it by. */
const MAX_SHOWN = 60;

function measure(
  fields: readonly Placed[],
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  root = false,
): Measure {
  let depth = 0;
  let cost = 0;
  for (const { field, within } of fields) {
    const inner =
      field.selectionSet === undefined
        ? { depth: 0, cost: 0 }
        : measure(fieldsOf(field.selectionSet, fragments, within), fragments);
    depth = Math.max(depth, 1 + inner.depth);
    cost += (1 + inner.cost) * listLength(field, root);
    // Fragments that spread fragments can make a small text enormous: what is too much already need not be counted to the end.
    if (depth > MAX_DEPTH || cost > MAX_COST) break;
  }
  return { depth, cost };
}

function listLength(field: FieldNode, root: boolean): number {
  const limit = field.arguments?.find((argument) => argument.name.value === "limit");
  if (limit !== undefined) return numberOf(limit.value);
  if (field.arguments?.some((argument) => argument.name.value === "sensorIds")) return LONGEST_LIST;
  return root && LISTS.has(field.name.value) ? DEFAULT_LIST : 1;
}

/** Root fields whose answers are lists; what is inside of them is counted by their length. */
const LISTS: ReadonlySet<string> = new Set(["sensorData", "sensorDataPage", "anomalyAlerts", "sensors", "aggregates"]);

function numberOf(value: ValueNode): number {
  if (value.kind !== Kind.INT) return LONGEST_LIST;
  return Math.max(0, Math.min(Number(value.value), LONGEST_LIST));
}

/** A field, and the names of the fragments that it stands in. */
interface Placed {
  readonly field: FieldNode;
  readonly within: ReadonlySet<string>;
}

/** Fields of a selection with its fragments spread; one that contains itself is another rule's business. */
function fieldsOf(
  { selections }: SelectionSetNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  within: ReadonlySet<string>,
): Placed[] {
  return selections.flatMap((selection): Placed[] => {
    if (selection.kind === Kind.FIELD) return [{ field: selection, within }];
    if (selection.kind === Kind.INLINE_FRAGMENT) return fieldsOf(selection.selectionSet, fragments, within);
    const name = selection.name.value;
    const fragment = fragments.get(name);
    if (fragment === undefined || within.has(name)) return [];
    return fieldsOf(fragment.selectionSet, fragments, new Set([...within, name]));
  });
}
