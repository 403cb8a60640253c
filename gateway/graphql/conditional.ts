import {
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  OperationTypeNode,
  type SelectionNode,
} from "graphql";

/**
 * The refusal of a subscription whose field stands under @skip or @include, which GraphQL's specification forbids since 2025 and
 * graphql-js does not look for: without a field its execution fails, and with a variable its validation does.
 */
export function conditionalSubscription({ definitions }: DocumentNode): GraphQLError | undefined {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const each of definitions) if (each.kind === Kind.FRAGMENT_DEFINITION) fragments.set(each.name.value, each);
  for (const each of definitions) {
    if (each.kind !== Kind.OPERATION_DEFINITION || each.operation !== OperationTypeNode.SUBSCRIPTION) continue;
    const found = conditional(each.selectionSet.selections, fragments);
    if (found === undefined) continue;
    const message = "A subscription's field cannot stand under @skip or @include: subscribe where it is wanted.";
    return new GraphQLError(message, { nodes: found, extensions: { code: "GRAPHQL_VALIDATION_FAILED" } });
  }
  return undefined;
}

/** Each fragment is looked into once: it is taken out of those that are left. */
function conditional(
  selections: readonly SelectionNode[],
  left: Map<string, FragmentDefinitionNode>,
): SelectionNode | undefined {
  for (const each of selections) {
    if (each.directives?.some(({ name }) => name.value === "skip" || name.value === "include")) return each;
    if (each.kind === Kind.FIELD) continue;
    const inner = each.kind === Kind.INLINE_FRAGMENT ? each : left.get(each.name.value);
    if (each.kind === Kind.FRAGMENT_SPREAD) left.delete(each.name.value);
    const found = inner === undefined ? undefined : conditional(inner.selectionSet.selections, left);
    if (found !== undefined) return found;
  }
  return undefined;
}
