/**
 * The OpenAPI document of ingest protocols, made of what their handlers say of themselves. It is not part of that of REST: programs that
 * make clients or requests of a document stop at bodies of protobuf, snappy or Parquet.
 */
import type { Credential, DocumentedAnswer, EndpointDocument } from "../../server/lib/endpoint-document.ts";
import { COOKIE } from "../console/cookie.ts";
import type { IngestPath } from "../ingest.ts";
import { TITLE } from "./openapi.ts";

type Json = Record<string, unknown>;

export const INGEST_DOCUMENT_PATH = "/openapi-ingest.json";

/** By their names in the document. Without AUTH=on none is needed. */
const SECURITY_SCHEMES: Readonly<Record<Credential, Json>> = {
  bearer: {
    type: "http",
    scheme: "bearer",
    description: "A token of the platform, or an access token of the OIDC issuer.",
  },
  token: { type: "apiKey", in: "header", name: "Authorization", description: "InfluxDB's form: `Token SECRET`." },
  basic: { type: "http", scheme: "basic", description: "Any name, and the token as the password." },
  session: { type: "apiKey", in: "cookie", name: COOKIE, description: "The session of the console." },
};

/** Statuses that the listener answers with, whatever the protocol. */
const STATUSES: Readonly<Record<number, string>> = {
  400: "The body is not what its type and encoding say, or some of it is not stored.",
  401: "The token is missing or wrong, where the platform asks for one.",
  403: "The token does not allow this.",
  413: "The body is larger, or unpacks to more, than is taken at once.",
  415: "The content type or the content encoding is not taken.",
  429: "Over a limit of the caller; wait for Retry-After where it is given.",
  500: "An unexpected error; the log has it.",
  503: "Nothing more can be taken now; wait for Retry-After.",
  504: "Nothing came, or nothing could be stored, for too long.",
};

/** @param ingest those with a document by themselves are taken in */
export function ingestDocument(version: string, ingest: readonly IngestPath[]): Json {
  return {
    openapi: "3.1.0",
    info: { title: `${TITLE}: ingest`, version, description: "Readings by the protocols of others, and by files." },
    paths: ingestOperations(ingest),
    components: { securitySchemes: SECURITY_SCHEMES },
    security: [{}, { bearer: [] }, { session: [] }],
  };
}

/** Operations by path and method. */
function ingestOperations(paths: readonly IngestPath[]): Record<string, Json> {
  const operations: Record<string, Json> = {};
  for (const { path, method, document } of paths) {
    if (document === undefined) continue;
    operations[path] = { ...operations[path], [method.toLowerCase()]: operation(document) };
  }
  return operations;
}

function operation(document: EndpointDocument): Json {
  const { operationId, summary, description, body, query, credentials } = document;
  const parameters = [...query.map(queryParameter), ...encodingParameter(document)];
  return {
    ...{ operationId, summary, description },
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: contentOf(body.types, { type: "string" }) } }),
    responses: { ...refusals(document), ...Object.fromEntries(Object.entries(document.answers).map(answered)) },
    security: [{}, ...credentials.map((credential) => ({ [credential]: [] }))],
  };
}

function queryParameter({ name, description, choices, isList }: EndpointDocument["query"][number]): Json {
  const one = { type: "string", ...(choices === undefined ? {} : { enum: choices }) };
  return { name, in: "query", required: false, description, schema: isList ? { type: "array", items: one } : one };
}

function encodingParameter({ body }: EndpointDocument): Json[] {
  if (body === undefined) return [];
  const schema = { type: "string", enum: body.encodings };
  const required = body.encodingRequired === true;
  return [{ name: "Content-Encoding", in: "header", required, description: "What the body is packed by.", schema }];
}

function refusals({ refusal, answers }: EndpointDocument): Json {
  if (refusal === undefined) return {};
  const statuses = Object.entries(STATUSES).filter(([status]) => !(status in answers));
  return Object.fromEntries(
    statuses.map(([status, text]) => answered([status, { ...refusal, description: `${text} ${refusal.description}` }])),
  );
}

function answered([status, answer]: [string, DocumentedAnswer]): [string, Json] {
  const { description, types, schema, headers } = answer;
  const content = types.length === 0 ? {} : { content: contentOf(types, schema ?? {}) };
  return [status, { description, ...(headers === undefined ? {} : { headers: headersOf(headers) }), ...content }];
}

function headersOf(headers: Readonly<Record<string, string>>): Json {
  const all = Object.entries(headers).map(([name, description]) => [name, { description, schema: { type: "string" } }]);
  return Object.fromEntries(all);
}

/** A schema is of JSON; bodies of other types are bytes or text, which it does not describe. */
function contentOf(types: readonly string[], schema: Json): Json {
  const of = (type: string) => (type === "application/json" ? { schema } : {});
  return Object.fromEntries(types.map((type) => [type, of(type)]));
}
