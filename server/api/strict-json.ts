/**
 * JSON requests with a name that the contract does not have are refused: what is misspelled would else be taken for absent. So are values
 * that the reader would take for others.
 */

import type { DescField, DescMessage, DescMethod, JsonReadOptions } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ConnectRouter,
  type ConnectRouterOptions,
  createServiceImplSpec,
} from "@connectrpc/connect";
import type { FieldViolation } from "../errors.ts";
import { quotedValue } from "../lib/quoted.ts";
import { didYouMean } from "../lib/suggest.ts";
import { badRequest } from "./errors.ts";
import { misread } from "./json-values.ts";

/** A batch may hold the same misspelling ten thousand times: the first ones are enough. */
const MAX_VIOLATIONS = 50;

/** A router whose handlers refuse unknown names in JSON, in all protocols. Unknown fields in binary stay legal, as protobuf has it. */
export function strictJson(router: ConnectRouter): ConnectRouter {
  const strict: ConnectRouter = {
    handlers: router.handlers,
    service(service, implementation, options) {
      for (const spec of Object.values(createServiceImplSpec(service, implementation).methods))
        router.rpc(spec.method, spec.impl as never, { ...options, ...readsStrictly(spec.method) });
      return strict;
    },
    rpc(method, implementation, options) {
      router.rpc(method, implementation, { ...options, ...readsStrictly(method) });
      return strict;
    },
  };
  return strict;
}

/** Connect hands the text of a message to this decoder before it reads it: the place to see names that the reader would not tell of. */
function readsStrictly({ input }: DescMethod): ConnectRouterOptions {
  const utf8 = new TextDecoder("utf-8", { fatal: true });
  const textDecoder = {
    decode(bytes?: Uint8Array) {
      const text = utf8.decode(bytes);
      const violations = faults(input, parsed(text));
      if (violations.length > 0) throw refusal(violations);
      return text;
    },
  };
  return { jsonOptions: { ignoreUnknownFields: false, textDecoder } as Partial<JsonReadOptions> };
}

/** Undefined where it is no JSON: the reader says so better. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function refusal(violations: readonly FieldViolation[]): ConnectError {
  const [first] = violations as [FieldViolation];
  const more = violations.length > 1 ? ` (and ${violations.length - 1} more)` : "";
  const message = `${first.field}: ${first.description}${more}`;
  return new ConnectError(message, Code.InvalidArgument, undefined, badRequest(violations));
}

/**
 * Names in a message's JSON that its contract does not have, and values that would be misread, with where they stand. What is not of a
 * message's shape is the reader's to refuse.
 */
function faults(desc: DescMessage, json: unknown, path = "", found: FieldViolation[] = []): FieldViolation[] {
  // Well-known types have a JSON of their own; a Struct's names are the caller's.
  if (!isObject(json) || desc.typeName.startsWith("google.protobuf.")) return found;
  const fields = fieldsByName(desc);
  for (const [name, value] of Object.entries(json)) {
    if (found.length >= MAX_VIOLATIONS) break;
    const field = fields.get(name);
    if (field === undefined) {
      found.push(violation(desc, path, name));
      continue;
    }
    const description = misread(field, value);
    if (description !== undefined) found.push({ field: `${path}${name}`, description });
    else if (field.message !== undefined) walk(field, value, `${path}${name}`, found);
  }
  return found;
}

function walk(field: DescField, value: unknown, path: string, found: FieldViolation[]): void {
  const { message } = field;
  if (message === undefined) return;
  if (field.fieldKind === "list" && Array.isArray(value)) {
    for (const [index, item] of value.entries()) faults(message, item, `${path}[${index}].`, found);
  } else if (field.fieldKind === "map" && isObject(value)) {
    for (const [key, item] of Object.entries(value)) faults(message, item, `${path}[${quotedValue(key)}].`, found);
  } else faults(message, value, `${path}.`, found);
}

function violation(desc: DescMessage, path: string, name: string): FieldViolation {
  const meant = didYouMean(
    name,
    desc.fields.map((field) => field.jsonName),
  );
  const field = path + (/^\w{1,100}$/.test(name) ? name : quotedValue(name));
  return { field, description: `is no field of ${desc.typeName}${meant}` };
}

const known = new WeakMap<DescMessage, ReadonlyMap<string, DescField>>();

/** By both spellings that protobuf's JSON takes. */
function fieldsByName(desc: DescMessage): ReadonlyMap<string, DescField> {
  let fields = known.get(desc);
  if (fields === undefined) {
    fields = new Map(desc.fields.flatMap((field) => [[field.name, field] as const, [field.jsonName, field] as const]));
    known.set(desc, fields);
  }
  return fields;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
