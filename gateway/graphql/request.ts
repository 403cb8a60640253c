/** What is checked of a GraphQL request before Mesh reads it: how it is written, and how large it is. */
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { GraphQLError, Kind, OperationTypeNode } from "graphql";
import { didYouMean } from "../../server/lib/suggest.ts";
import { type Answer, BodyTooLarge, MAX_BODY_BYTES, readBody, refusal } from "../http.ts";
import { parseWithin } from "./documents.ts";

/** What Mesh reads, but for forms: any page may send a form, or a text, to anybody without asking. */
const TYPES = /^\s*application\/(json|graphql|graphql\+json)\s*(;|$)/i;

type Checked = { readonly ok: IncomingMessage } | { readonly refusal: Answer };

/**
 * The request to hand on, or the refusal to send.
 *
 * @param pageRefusal the refusal for the page that sends it where it may not change anything; undefined where it may
 */
export async function checkedRequest(request: IncomingMessage, pageRefusal: string | undefined): Promise<Checked> {
  const type = request.headers["content-type"];
  if (request.method === "POST" && !TYPES.test(type ?? "")) {
    const is = type === undefined ? "is missing" : `is ${JSON.stringify(type.slice(0, MAX_QUOTED))}`;
    return refused(415, `content-type ${is}: send the operation as application/json.`, "BAD_REQUEST");
  }
  const unknown = request.method === "GET" ? unknownParameter(request.url ?? "") : undefined;
  if (unknown !== undefined) return refused(400, unknown, "BAD_REQUEST");
  try {
    if (pageRefusal === undefined || request.method !== "POST") return { ok: await bounded(request) };
    const body = await readBody(request);
    if (onlyQueries(body, type ?? "")) return { ok: again(request, body) };
    return { refusal: refusal(true, { status: 403, message: pageRefusal }) };
  } catch (error) {
    if (!(error instanceof BodyTooLarge)) throw error;
    const message = `The body is larger than ${MAX_BODY_BYTES} bytes: ask for less at once.`;
    return refused(413, message, "OPERATION_TOO_LARGE");
  }
}

const PARAMETERS = ["query", "variables", "operationName", "extensions"];

/** Of a GET; those of a POST's body Mesh refuses by name itself. */
function unknownParameter(url: string): string | undefined {
  const query = url.includes("?") ? url.slice(url.indexOf("?") + 1) : "";
  const name = [...new URLSearchParams(query).keys()].find((key) => !PARAMETERS.includes(key));
  if (name === undefined) return undefined;
  return `Unexpected parameter ${JSON.stringify(name.slice(0, 60))} in the query${didYouMean(name, PARAMETERS)}`;
}

function refused(status: number, message: string, code: string): { refusal: Answer } {
  const headers = status === 413 ? { connection: "close" } : {};
  return { refusal: { status, body: { errors: [{ message, extensions: { code } }] }, headers } };
}

/**
 * The request with a body within the bound. A length that is announced is kept to by Node's parser; a body without one is read here.
 *
 * @throws BodyTooLarge
 */
async function bounded(request: IncomingMessage): Promise<IncomingMessage> {
  const { headers } = request;
  if (Number(headers["content-length"] ?? 0) > MAX_BODY_BYTES) throw new BodyTooLarge();
  if (headers["transfer-encoding"] === undefined) return request;
  return again(request, await readBody(request));
}

/** The request as it was before its body was read. */
function again({ method, url, headers, socket }: IncomingMessage, body: Buffer): IncomingMessage {
  return Object.assign(Readable.from([body]), { method, url, headers, socket }) as IncomingMessage;
}

/** Whether it is certain that nothing that the body asks for changes anything: what is not read here, somebody else might read. */
function onlyQueries(body: Buffer, type: string): boolean {
  const text = body.toString();
  if (/^\s*application\/graphql\s*(;|$)/i.test(type)) return !holdsMutation(text);
  let asked: unknown;
  try {
    asked = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return false;
  }
  return [asked].flat().every((one) => !holdsMutation((one as { query?: unknown } | null)?.query));
}

/** Whether any operation of the document may be a mutation, whichever of them is to be executed. */
export function holdsMutation(document: unknown): boolean {
  if (typeof document !== "string") return true;
  try {
    return parseWithin(document).definitions.some(
      (definition) =>
        definition.kind === Kind.OPERATION_DEFINITION && definition.operation === OperationTypeNode.MUTATION,
    );
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    return true;
  }
}

/** Enough of a content type to recognise it by. */
const MAX_QUOTED = 60;
