/**
 * Shapes the schema that the gRPC loader makes of `proto/` into a facade: fields renamed and flattened by its rows, times and
 * free objects as scalars, enums as their short names. What the loader put on each field for the transport stays on it.
 */
import type { DescField, DescMessage, DescMethod } from "@bufbuild/protobuf";
import { buildSchema, type GraphQLSchema } from "graphql";
import { fieldRules } from "../rest/rules.ts";
import { fieldOf, messageOf, methodOf, outsideName } from "./contracts.ts";
import { isLong, outsideFields } from "./map.ts";
import type { Facade, FieldRow } from "./tables.ts";

/** The loader's directives on the raw field, printed; both facades need them to call. */
export interface RawMethods {
  grpcMethod(rpc: string, root: "Query" | "Mutation" | "Subscription"): string;
  description(kind: "method" | "message" | "field", name: string): string | undefined;
}

const SCALARS: Readonly<Record<number, string>> = { 1: "Float", 2: "Float", 8: "Boolean", 9: "String", 12: "String" };

const HEADER = /* GraphQL */ `
directive @grpcMethod(subgraph: String, rootJsonName: String, objPath: String, methodName: String, responseStream: Boolean) on FIELD_DEFINITION
"A time in ISO 8601, UTC, to the microsecond."
scalar DateTime
"An integer of up to 53 bits, more than Int can hold."
scalar SafeInt
"Any JSON object."
scalar JSON
`;

/** The facade's schema in GraphQL's language. */
function shapeSdl(facade: Facade, raw: RawMethods): string {
  return new Shaping(facade, raw).print();
}

export function shapedSchema(facade: Facade, raw: RawMethods): GraphQLSchema {
  return buildSchema(shapeSdl(facade, raw), { assumeValidSDL: true });
}

class Shaping {
  readonly #facade: Facade;
  readonly #raw: RawMethods;
  readonly #outputs = new Map<string, DescMessage>();
  readonly #inputs = new Map<string, DescMessage>();

  constructor(facade: Facade, raw: RawMethods) {
    this.#facade = facade;
    this.#raw = raw;
  }

  print(): string {
    const roots = (["Query", "Mutation", "Subscription"] as const).flatMap((root) => {
      const rows = this.#facade.rows.filter((row) => row.root === root);
      return rows.length === 0 ? [] : [`type ${root} {\n${rows.map((row) => this.#rootField(row)).join("\n")}\n}`];
    });
    this.#reachNamedTypes();
    const types: string[] = [];
    // Printing a type reaches further types: a Map hands out what is added while it is walked.
    for (const [name, desc] of this.#outputs) types.push(this.#outputType(name, desc));
    for (const [name, desc] of this.#inputs) types.push(this.#inputType(name, desc));
    return [HEADER, ...roots, ...types, this.#facade.extra ?? ""].join("\n");
  }

  /** Types that only a row's or a rule's `type` names. */
  #reachNamedTypes(): void {
    const named = [
      ...this.#facade.rows.map((row) => row.type),
      ...Object.values(this.#facade.types).flatMap((rule) => Object.values(rule.fields).map((field) => field.type)),
    ].map((type) => type?.replace(/\W/g, ""));
    for (const [typeName, rule] of Object.entries(this.#facade.types))
      if (named.includes(rule.name)) this.#outputs.set(rule.name, messageOf(typeName));
    if (named.includes("AlertEvent")) this.#outputs.set("AlertEvent", messageOf("telltale.v1.AlertEvent"));
  }

  #rootField(row: FieldRow): string {
    const method = methodOf(row.rpc);
    const args = this.#arguments(row, method);
    const type = row.type ?? this.#resultType(row, method);
    const description = row.description ?? this.#raw.description("method", row.rpc);
    const directive = this.#raw.grpcMethod(row.rpc, row.root);
    return `${text(description)}  ${row.name}${args.length > 0 ? `(${args.join(", ")})` : ""}: ${type} ${directive}`;
  }

  #resultType(row: FieldRow, method: DescMethod): string {
    const hoisted = row.hoist === undefined ? undefined : fieldOf(method.output, row.hoist);
    if (hoisted?.fieldKind === "list") return this.#outputFieldType(hoisted);
    const type = this.#outputName(hoisted?.message ?? method.output);
    return row.notFound === null ? type : `${type}!`;
  }

  #arguments(row: FieldRow, method: DescMethod): string[] {
    const message = row.message === undefined ? method.input : messageOf(row.message);
    return message.fields.flatMap((field) => {
      const name = outsideName(field, this.#facade.naming);
      const own = row.args?.[name];
      if (own === null) return [];
      const description = this.#raw.description("field", `${message.typeName}.${field.name}`);
      return [`${text(description, " ")}${name}: ${own ?? this.#inputFieldType(field)}`];
    });
  }

  #outputType(name: string, desc: DescMessage): string {
    const fields = outsideFields(desc, this.#facade).map(({ name: fieldName, field, type, description }) => {
      const said = description ?? (field && this.#raw.description("field", `${desc.typeName}.${field.name}`));
      return `${text(said)}  ${fieldName}: ${type ?? this.#outputFieldType(field!)}`;
    });
    return `${text(this.#raw.description("message", desc.typeName), "\n")}type ${name} {\n${fields.join("\n")}\n}`;
  }

  #inputType(name: string, desc: DescMessage): string {
    const fields = desc.fields.map(
      (field) => `  ${outsideName(field, this.#facade.naming)}: ${this.#inputFieldType(field)}`,
    );
    return `input ${name} {\n${fields.join("\n")}\n}`;
  }

  /** Lists and fields without presence are never null; messages and optional fields may be. */
  #outputFieldType(field: DescField): string {
    const name = this.#scalarName(field) ?? this.#outputName(field.message!);
    if (field.fieldKind === "list") return `[${name}!]!`;
    const always = field.fieldKind === "enum" || (field.fieldKind === "scalar" && field.presence === IMPLICIT);
    return always ? `${name}!` : name;
  }

  #inputFieldType(field: DescField): string {
    const name = this.#scalarName(field) ?? this.#inputName(field.message!);
    const rules = fieldRules(field);
    const needed = rules.required || (rules.minLength ?? 0) > 0;
    return `${field.fieldKind === "list" ? `[${name}!]` : name}${needed ? "!" : ""}`;
  }

  #scalarName(field: DescField): string | undefined {
    if (field.fieldKind === "map") return "JSON";
    if (field.enum !== undefined) return "String";
    if (field.message?.typeName === "google.protobuf.Timestamp") return "DateTime";
    if (field.message?.typeName === "google.protobuf.Struct") return "JSON";
    if (field.message !== undefined) return undefined;
    return isLong(field) ? "SafeInt" : (SCALARS[field.scalar!] ?? "Int");
  }

  #outputName(desc: DescMessage): string {
    const name = this.#facade.types[desc.typeName]?.name ?? desc.name;
    this.#outputs.set(name, desc);
    return name;
  }

  #inputName(desc: DescMessage): string {
    const name = `${desc.name}Input`;
    this.#inputs.set(name, desc);
    return name;
  }
}

/** Field presence of proto3 scalars without `optional`. */
const IMPLICIT = 2;

/** A description in block quotes, before what it describes. */
function text(description: string | undefined, indent = "  "): string {
  if (description === undefined || description === "") return "";
  const flat = description.replace(/\s+/g, " ").replaceAll('"""', '\\"""').trim();
  return `${indent === "\n" ? "" : indent}"""${flat.endsWith('"') ? `${flat} ` : flat}"""${indent === " " ? " " : "\n"}`;
}
