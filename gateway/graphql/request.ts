/** What is checked of a GraphQL request before Mesh reads it: how it is written, and how large it is. */
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { type Answer, BodyTooLarge, MAX_BODY_BYTES, readBody } from "../http.ts";

/** What Mesh reads: JSON, an operation as it is, and forms. */
const TYPES = /^\s*(application\/(json|graphql|graphql\+json|x-www-form-urlencoded)|multipart\/form-data)\s*(;|$)/i;

/** The request to hand on, or the refusal to send. */
export async function checkedRequest(request: IncomingMessage): Promise<{ ok: IncomingMessage } | { refusal: Answer }> {
  const type = request.headers["content-type"];
  if (request.method === "POST" && type !== undefined && !TYPES.test(type)) {
    return refused(
      415,
      `content-type is ${JSON.stringify(type)}: send the operation as application/json.`,
      "BAD_REQUEST",
    );
  }
  try {
    return { ok: await bounded(request) };
  } catch (error) {
    if (!(error instanceof BodyTooLarge)) throw error;
    const message = `The body is larger than ${MAX_BODY_BYTES} bytes: ask for less at once.`;
    return refused(413, message, "OPERATION_TOO_LARGE");
  }
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
  const { method, url, headers, socket } = request;
  if (Number(headers["content-length"] ?? 0) > MAX_BODY_BYTES) throw new BodyTooLarge();
  if (headers["transfer-encoding"] === undefined) return request;
  const body = await readBody(request);
  return Object.assign(Readable.from([body]), { method, url, headers, socket }) as IncomingMessage;
}
