/** The scalars of both facades. Values are already in JSON's form when they reach a schema: serializing only passes them on. */
import { GraphQLError, GraphQLScalarType, Kind, print, type ValueNode, valueFromASTUntyped } from "graphql";
import { parseIso } from "../../formats/time.ts";
import { deeperThan, MAX_METADATA_DEPTH } from "../nesting.ts";

/** @param shown the value as it was written */
function time(value: unknown, shown = JSON.stringify(value)): unknown {
  if (typeof value === "string" && parseIso(value) !== undefined) return value;
  throw new GraphQLError(`DateTime is ${shown}, but must be an ISO 8601 time such as 2026-01-31T12:00:00Z.`);
}

/** @param shown the value as it was written */
function integer(value: unknown, shown = JSON.stringify(value)): unknown {
  if (Number.isSafeInteger(value)) return value;
  throw new GraphQLError(`SafeInt is ${shown}, but must be an integer of up to 53 bits.`);
}

function shallow(value: unknown): unknown {
  if (!deeperThan(value, MAX_METADATA_DEPTH)) return value;
  throw new GraphQLError(`JSON is nested more than ${MAX_METADATA_DEPTH} levels deep: give less.`);
}

/** A literal's value where it is of the kind, for a check that shows the literal as it was written. */
function literal(node: ValueNode, kind: Kind.STRING | Kind.INT): [value: unknown, shown: string] {
  return [node.kind === kind ? valueFromASTUntyped(node) : undefined, print(node)];
}

export const scalars: Readonly<Record<string, GraphQLScalarType>> = {
  DateTime: new GraphQLScalarType({
    name: "DateTime",
    serialize: (value) => value,
    parseValue: (value) => time(value),
    parseLiteral: (node) => time(...literal(node, Kind.STRING)),
  }),
  SafeInt: new GraphQLScalarType({
    name: "SafeInt",
    // SOFA serializes the texts of a URL to make variables of them.
    serialize: (value) => (typeof value === "string" ? Number(value) : value),
    parseValue: (value) => integer(value),
    parseLiteral: (node) => integer(...literal(node, Kind.INT)),
  }),
  JSON: new GraphQLScalarType({
    name: "JSON",
    serialize: (value) => value,
    parseValue: (value) => shallow(value),
    parseLiteral: (node, variables) => shallow(valueFromASTUntyped(node, variables)),
  }),
};

/** The part of a scalar that does the work, to be put into a schema built without it. */
export function executable(scalar: GraphQLScalarType) {
  const { serialize, parseValue, parseLiteral } = scalar;
  return { serialize, parseValue, parseLiteral };
}
