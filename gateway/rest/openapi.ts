/**
 * The OpenAPI document. SOFA gives the shapes of answers; parameters, bodies, limits and errors follow from the routes and the
 * contracts' rules, so that the document says what check.ts does.
 */
import type { DescField } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { isUnsigned } from "../mesh/map.ts";
import { EXAMPLES } from "./examples.ts";
import { type Parameter, type Route, routes } from "./routes.ts";
import { fieldRules } from "./rules.ts";

type Json = Record<string, unknown>;

export const TITLE = "Intelligent Detection and Monitoring Platform";

const DESCRIPTION = `Readings in, each stored and scored before it is answered; readings, alerts and the platform's state out.
Times are ISO 8601 in UTC. The same data is at /api/v1/graphql, and by gRPC, where streams and high rates belong.`;

const ERRORS: Readonly<Record<string, string>> = {
  401: "The token is missing or wrong, where the platform asks for one.",
  403: "The token does not allow this.",
  409: "The sensor already has another value at that time; the first stays.",
  413: "The body is larger than 1 MiB.",
  429: "Too much at once; come again after the seconds in Retry-After.",
  500: "An unexpected error; the log has it.",
  503: "A part of the platform is out of reach; the same request may succeed later.",
  504: "The platform did not answer in time.",
};

/** @param sofa SOFA's own document */
export function openApiDocument(sofa: unknown, version: string): Json {
  const { components } = sofa as { components: { schemas: Json } };
  const schemas: Json = {
    ...answerSchemas(components.schemas),
    Error: ERROR_SCHEMA,
    ValidationProblem: PROBLEM_SCHEMA,
    ValidationError: {
      type: "object",
      required: ["detail"],
      properties: { detail: { type: "array", items: ref("ValidationProblem"), minItems: 1 } },
    },
  };
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    if (route.body !== undefined) schemas[bodyName(route)] = bodySchema(route);
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(route, sofa) };
  }
  return {
    openapi: "3.1.0",
    info: { title: TITLE, version, description: DESCRIPTION },
    tags: [
      { name: "sensors", description: "Readings and alerts." },
      { name: "monitoring", description: "The platform's own state." },
    ],
    paths: { ...paths, ...FIXED_PATHS },
    components: { schemas },
  };
}

const ref = (name: string): Json => ({ $ref: `#/components/schemas/${name}` });
const json = (schema: Json, example?: unknown): Json => ({
  content: { "application/json": { schema, ...(example === undefined ? {} : { example }) } },
});

const ERROR_SCHEMA: Json = { type: "object", required: ["detail"], properties: { detail: { type: "string" } } };

const PROBLEM_SCHEMA: Json = {
  type: "object",
  required: ["type", "loc", "msg", "input"],
  properties: {
    type: { type: "string", description: "The kind of problem, for programs.", examples: ["string_too_long"] },
    loc: {
      type: "array",
      items: { anyOf: [{ type: "string" }, { type: "integer" }] },
      description: "Where: body, query or path, then the field.",
    },
    msg: { type: "string", description: "The same for people." },
    input: { description: "What was sent." },
    ctx: { type: "object", description: "The limit that it broke.", examples: [{ max_length: 50 }] },
  },
};

function operation(route: Route, sofa: unknown): Json {
  const own = sofaOperation(route, sofa);
  const parameters = route.parameters
    .filter(({ where }) => where !== "body")
    .map((parameter) =>
      parameterOf(
        parameter,
        own.parameters?.find(({ name }) => name === parameter.name),
      ),
    );
  const example = EXAMPLES[route.name];
  return {
    operationId: route.name,
    tags: [route.tag],
    summary: route.summary,
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, ...json(ref(bodyName(route)), example?.request) } }),
    responses: {
      200: { description: "Done.", ...json(answerSchema(route, sofa), example?.response) },
      ...errors(route),
    },
  };
}

/** The shape that SOFA found for the answer, in the document's own 200. */
function answerSchema(route: Route, sofa: unknown): Json {
  const answer = sofaOperation(route, sofa).responses["200"]?.content["application/json"];
  if (answer === undefined) throw new Error(`SOFA's document has no answer for ${route.method} ${route.path}.`);
  return answer.schema;
}

interface SofaOperation {
  readonly parameters?: readonly { readonly name: string; readonly schema: Json }[];
  readonly responses: Readonly<Record<string, { readonly content: Record<string, { readonly schema: Json }> }>>;
}

function sofaOperation(route: Route, sofa: unknown): SofaOperation {
  const { paths } = sofa as { paths: Record<string, Record<string, SofaOperation>> };
  const operation = paths[route.path]?.[route.method.toLowerCase()];
  if (operation === undefined) throw new Error(`SOFA's document has no ${route.method} ${route.path}.`);
  return operation;
}

function errors(route: Route): Json {
  const has422 = route.parameters.length > 0;
  const statuses = ["401", "403", ...(route.body ? ["409", "413"] : []), "429", "500", "503", "504"];
  return {
    ...(route.notFound === undefined
      ? {}
      : { 404: { description: route.notFound, ...json(ref("Error"), { detail: route.notFound }) } }),
    ...(has422
      ? { 422: { description: "A parameter or field is wrong; each one is named.", ...json(ref("ValidationError")) } }
      : {}),
    ...Object.fromEntries(statuses.map((status) => [status, { description: ERRORS[status], ...json(ref("Error")) }])),
  };
}

function parameterOf({ name, field, where, default: given }: Parameter, own: { schema: Json } | undefined): Json {
  const said = own?.schema.description;
  return {
    name,
    in: where,
    required: where === "path",
    ...(said === undefined ? {} : { description: said }),
    ...described(field),
    schema: { ...schemaOf(field, where === "query"), ...(given === undefined ? {} : { default: given }) },
  };
}

function bodyName(route: Route): string {
  return `${route.body!.name}Input`;
}

function bodySchema(route: Route): Json {
  const fields = route.parameters.filter(({ where }) => where === "body");
  return {
    type: "object",
    required: fields.filter(({ field }) => fieldRules(field).required).map(({ name }) => name),
    properties: Object.fromEntries(
      fields.map(({ name, field }) => {
        const schema = schemaOf(field, false);
        const nullable = fieldRules(field).required ? schema : { anyOf: [schema, { type: "null" }] };
        return [name, { ...nullable, ...described(field) }];
      }),
    ),
    // What is sent beyond these is ignored.
    additionalProperties: true,
  };
}

/** What outsiders write differently from the contract. */
function described(field: DescField): Json {
  if (field.message?.typeName === "google.protobuf.Timestamp")
    return { description: "ISO 8601, with an offset or taken as UTC." };
  if (field.enum !== undefined)
    return { description: `One of ${enumTexts(field).join(", ")}; anything else matches nothing.` };
  return {};
}

function enumTexts(field: DescField): string[] {
  const prefix = field.enum!.sharedPrefix ?? "";
  return field.enum!.values.slice(1).map((value) => value.name.toLowerCase().replace(prefix, ""));
}

/** In a query an empty text filters nothing, whatever else is wanted. */
function optionalText(inQuery: boolean, schema: Json): Json {
  return inQuery ? { anyOf: [schema, { type: "string", maxLength: 0 }] } : schema;
}

/** No NUL anywhere: PostgreSQL has no room for it. */
const NO_NUL = "^[^\\u0000]*$";

function schemaOf(field: DescField, inQuery: boolean): Json {
  const { minLength, maxLength, atLeast, atMost } = fieldRules(field);
  if (field.message?.typeName === "google.protobuf.Timestamp")
    return optionalText(inQuery, { type: "string", format: "date-time" });
  if (field.message !== undefined) return { type: "object", additionalProperties: true };
  if (field.enum !== undefined) return { type: "string", pattern: NO_NUL };
  switch (field.scalar) {
    case ScalarType.BOOL:
      return optionalText(inQuery, { type: "boolean" });
    case ScalarType.DOUBLE:
      return { type: "number", format: "double" };
    case ScalarType.STRING:
      return {
        type: "string",
        pattern: NO_NUL,
        ...(minLength === undefined || inQuery ? {} : { minLength }),
        ...(maxLength === undefined ? {} : { maxLength }),
      };
    default: {
      const minimum = atLeast ?? (isUnsigned(field) ? 0 : undefined);
      return {
        type: "integer",
        format: "int64",
        ...(minimum === undefined ? { minimum: -(2 ** 53) + 1 } : { minimum }),
        maximum: atMost ?? Number.MAX_SAFE_INTEGER,
      };
    }
  }
}

/** SOFA's schemas, with its scalars as JSON knows them and every field that is never null required. */
function answerSchemas(schemas: Json): Json {
  return Object.fromEntries(
    Object.entries(schemas)
      .filter(([name]) => !["Query", "Mutation"].includes(name) && !name.startsWith("_"))
      .map(([name, schema]) => [name, answerObject(schema as AnswerObject)]),
  );
}

interface AnswerObject {
  readonly description?: string;
  readonly required: readonly string[];
  readonly properties: Readonly<Record<string, Json>>;
}

/** Every field is always there; one that SOFA does not call required may be null. */
function answerObject({ description, required, properties }: AnswerObject): Json {
  const always = new Set(required);
  return {
    type: "object",
    ...(description === undefined ? {} : { description }),
    required: Object.keys(properties),
    properties: Object.fromEntries(
      Object.entries(properties).map(([name, { description: said, ...schema }]) => [
        name,
        {
          ...(always.has(name) ? withDoubles(schema) : { anyOf: [withDoubles(schema), { type: "null" }] }),
          ...(said === undefined ? {} : { description: said }),
        },
      ]),
    ),
  };
}

/** GraphQL's Float has 64 bits, whatever SOFA calls it. */
function withDoubles(schema: Json): Json {
  return schema.format === "float" ? { ...schema, format: "double" } : schema;
}

const HEALTH_EXAMPLE = { status: "healthy", platform: "intelligent-detection-monitoring" };

const FIXED_PATHS: Json = {
  "/health": {
    get: {
      operationId: "health",
      tags: ["monitoring"],
      summary: "Whether this process answers",
      responses: {
        200: {
          description: "It does.",
          ...json(
            {
              type: "object",
              required: ["status", "platform"],
              properties: { status: { type: "string" }, platform: { type: "string" } },
            },
            HEALTH_EXAMPLE,
          ),
        },
      },
    },
  },
  "/api/v1/monitoring/metrics": {
    get: {
      operationId: "metrics",
      tags: ["monitoring"],
      summary: "Metrics in Prometheus' text format",
      responses: {
        200: { description: "All metrics of this process.", content: { "text/plain": { schema: { type: "string" } } } },
        ...Object.fromEntries(
          ["401", "403", "429", "500", "503"].map((status) => [
            status,
            { description: ERRORS[status], ...json(ref("Error")) },
          ]),
        ),
      },
    },
  },
};
