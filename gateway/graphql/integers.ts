/**
 * Ids and counts outgrow Int, so their type here is SafeInt; clients that declare a variable for an id as Int keep working: where
 * such a variable is only used as a SafeInt, it is taken for one.
 */
import {
  type DocumentNode,
  type GraphQLSchema,
  getNamedType,
  Kind,
  TypeInfo,
  type TypeNode,
  visit,
  visitWithTypeInfo,
} from "graphql";

export function withSafeIntVariables(schema: GraphQLSchema, document: DocumentNode): DocumentNode {
  if (!declaresInt(document)) return document;
  const usedAs = new Map<string, Set<string>>();
  const info = new TypeInfo(schema);
  visit(
    document,
    visitWithTypeInfo(info, {
      Variable(node, _key, parent) {
        if (parent !== undefined && "kind" in parent && parent.kind === Kind.VARIABLE_DEFINITION) return;
        const type = getNamedType(info.getInputType());
        usedAs.set(node.name.value, (usedAs.get(node.name.value) ?? new Set()).add(type?.name ?? ""));
      },
    }),
  );
  return visit(document, {
    VariableDefinition(node) {
      const uses = [...(usedAs.get(node.variable.name.value) ?? [])];
      if (uses.length !== 1 || uses[0] !== "SafeInt") return undefined;
      return { ...node, type: renamed(node.type) };
    },
  });
}

function declaresInt(document: DocumentNode): boolean {
  return document.definitions.some(
    (definition) =>
      definition.kind === Kind.OPERATION_DEFINITION &&
      definition.variableDefinitions?.some(({ type }) => nameOf(type) === "Int"),
  );
}

function nameOf(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : nameOf(type.type);
}

function renamed<T extends TypeNode>(type: T): T {
  if (type.kind === Kind.NAMED_TYPE)
    return type.name.value === "Int" ? { ...type, name: { ...type.name, value: "SafeInt" } } : type;
  return { ...type, type: renamed(type.type) };
}
