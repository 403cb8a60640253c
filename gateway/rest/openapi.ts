/**
 * The OpenAPI document. SOFA gives the shapes of answers; parameters, bodies, limits and errors follow from the routes and the
 * contracts' rules, so that the document says what check.ts does.
 */
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { SeveritySchema } from "../../gen/es/telltale/v1/reading_pb.ts";
import { isUnsigned } from "../mesh/map.ts";
import { EXAMPLES } from "./examples.ts";
import { PAGE_TOKEN } from "./pages.ts";
import { type Parameter, type Route, routes } from "./routes.ts";
import { restRules } from "./rules.ts";

type Json = Record<string, unknown>;

export const TITLE = "Intelligent Detection and Monitoring Platform";

const DESCRIPTION = `Readings in, each stored and scored before it is answered; readings, alerts and the platform's state out.
Times are ISO 8601 in UTC. The same data is at /api/v1/graphql, and by gRPC, where streams and high rates belong.
Below /api/v2 this port answers as Prometheus' Alertmanager, whose document is
https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml. Ingest protocols and files have a document of their own,
/openapi-ingest.json.`;

const ERRORS: Readonly<Record<string, string>> = {
  401: "The token is missing or wrong, where the platform asks for one.",
  403: "The token does not allow this.",
  409: "The sensor already has another value at that time; the first stays.",
  413: "The body is larger than 1 MiB.",
  429: "Too many requests at once; retry after the seconds in Retry-After.",
  500: "An unexpected error; the log has it.",
  507: "There is no room on the server's disk; the same request may succeed when there is.",
  503: "A dependency of the platform is unavailable; the same request may succeed later.",
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
      { name: "monitoring", description: "The platform's own state, and who is notified of alerts." },
    ],
    paths: { ...paths, ...FIXED_PATHS },
    components: { schemas },
  };
}

const WARNING: Json = {
  Warning: {
    description: "Names of query parameters and body fields that are not known and were ignored.",
    schema: { type: "string" },
    example: '299 telltale "query parameter sensorid is not known and was ignored; did you mean sensor_id?"',
  },
};

const LINK: Json = {
  Link: {
    description:
      "Where the list goes on (RFC 8288): a reference with the same filters and a page_token. Absent on the last page.",
    schema: { type: "string" },
    example: '</api/v1/sensors/data?limit=100&page_token=MS9f>; rel="next"',
  },
};

function isPaged({ parameters }: Route): boolean {
  return parameters.some(({ name }) => name === PAGE_TOKEN);
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
    msg: { type: "string", description: "A message for people." },
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
      200: {
        description: "Done.",
        headers: { ...(route.refusesUnknown ? {} : WARNING), ...(isPaged(route) ? LINK : {}) },
        ...json(answerSchema(route, sofa), example?.response),
      },
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
  const statuses = [
    "401",
    "403",
    ...(route.body || route.conflict !== undefined ? ["409"] : []),
    ...(route.body ? ["413"] : []),
    "429",
    "500",
    "503",
    "504",
    ...(route.body ? ["507"] : []),
  ];
  return {
    ...(route.notFound === undefined
      ? {}
      : { 404: { description: route.notFound, ...json(ref("Error"), { detail: route.notFound }) } }),
    ...(has422
      ? { 422: { description: "A parameter or field is wrong; each one is named.", ...json(ref("ValidationError")) } }
      : {}),
    ...Object.fromEntries(
      statuses.map((status) => {
        const own = status === "409" ? route.conflict : undefined;
        return [status, { description: own ?? ERRORS[status], ...json(ref("Error")) }];
      }),
    ),
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
    required: fields.filter(({ field }) => restRules(field).required).map(({ name }) => name),
    properties: Object.fromEntries(
      fields.map(({ name, field }) => {
        const schema = schemaOf(field, false);
        const nullable = restRules(field).required ? schema : { anyOf: [schema, { type: "null" }] };
        return [name, { ...nullable, ...described(field) }];
      }),
    ),
    // Where more may be sent, it is ignored, and named in the answer's Warning header.
    additionalProperties: route.refusesUnknown !== true,
  };
}

/** What outsiders write differently from the contract. */
function described(field: DescField): Json {
  if (field.message?.typeName === "google.protobuf.Timestamp")
    return { description: "ISO 8601, with an offset or taken as UTC." };
  if (field.enum !== undefined)
    return {
      description: `One of ${enumTexts(field).join(", ")}${isSeverity(field) ? "; anything else matches nothing" : ""}.`,
    };
  return {};
}

/** A filter; other enums choose what is done. */
function isSeverity(field: DescField): boolean {
  return field.enum?.typeName === SeveritySchema.typeName;
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

function objectOf({ fields }: DescMessage): Json {
  const properties = Object.fromEntries(fields.map((field) => [field.name, schemaOf(field, false)]));
  return { type: "object", properties };
}

function schemaOf(field: DescField, inQuery: boolean): Json {
  const { minLength, maxLength, pattern, atLeast, atMost } = restRules(field);
  if (field.message?.typeName === "google.protobuf.Timestamp")
    return optionalText(inQuery, { type: "string", format: "date-time" });
  if (field.fieldKind === "list")
    return {
      type: "array",
      items: field.message === undefined ? { type: "string" } : itemSchema(field.message.fields),
    };
  if (field.fieldKind === "map") return { type: "object", additionalProperties: { type: "string" } };
  if (field.message !== undefined && field.message.typeName !== "google.protobuf.Struct")
    return objectOf(field.message);
  if (field.message !== undefined) return { type: "object", additionalProperties: true };
  if (field.enum !== undefined)
    return inQuery ? { type: "string", pattern: NO_NUL } : { type: "string", enum: ["", ...enumTexts(field)] };
  switch (field.scalar) {
    case ScalarType.BOOL:
      return optionalText(inQuery, { type: "boolean" });
    case ScalarType.DOUBLE:
      return { type: "number", format: "double" };
    case ScalarType.STRING:
      return {
        type: "string",
        pattern: pattern?.source ?? NO_NUL,
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

/** An object of a list, which has no other names. */
function itemSchema(fields: readonly DescField[]): Json {
  return {
    type: "object",
    required: fields.filter((field) => restRules(field).required).map(({ name }) => name),
    properties: Object.fromEntries(
      fields.map((field) => [field.name, { ...schemaOf(field, false), ...described(field) }]),
    ),
    additionalProperties: false,
  };
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
          description: "It answers.",
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
