/** The scalars of both facades. Values are already in JSON's form when they reach a schema: serializing only passes them on. */
import { GraphQLError, GraphQLScalarType, Kind, valueFromASTUntyped } from "graphql";
import { parseTime } from "./values.ts";

function time(value: unknown): unknown {
  if (typeof value === "string" && (value === "" || parseTime(value) !== undefined)) return value;
  throw new GraphQLError(
    `DateTime is ${JSON.stringify(value)}, but must be an ISO 8601 time such as 2026-01-31T12:00:00Z.`,
  );
}

function integer(value: unknown): unknown {
  if (Number.isSafeInteger(value)) return value;
  throw new GraphQLError(`SafeInt is ${JSON.stringify(value)}, but must be an integer of up to 53 bits.`);
}

export const scalars: Readonly<Record<string, GraphQLScalarType>> = {
  DateTime: new GraphQLScalarType({
    name: "DateTime",
    serialize: (value) => value,
    parseValue: time,
    parseLiteral: (node) => time(node.kind === Kind.STRING ? node.value : null),
  }),
  SafeInt: new GraphQLScalarType({
    name: "SafeInt",
    // SOFA serializes the texts of a URL to make variables of them.
    serialize: (value) => (typeof value === "string" ? Number(value) : value),
    parseValue: integer,
    parseLiteral: (node) => integer(node.kind === Kind.INT ? Number(node.value) : null),
  }),
  JSON: new GraphQLScalarType({
    name: "JSON",
    serialize: (value) => value,
    parseValue: (value) => value,
    parseLiteral: (node, variables) => valueFromASTUntyped(node, variables),
  }),
};

/** The part of a scalar that does the work, to be put into a schema built without it. */
export function executable(scalar: GraphQLScalarType) {
  const { serialize, parseValue, parseLiteral } = scalar;
  return { serialize, parseValue, parseLiteral };
}
