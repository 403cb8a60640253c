import { type IncomingHttpHeaders, type IncomingMessage, type RequestOptions, request } from "node:http";
import { request as requestTls } from "node:https";
import type { AddressGuard } from "./addresses.ts";
import { MAX_ANSWER_BYTES } from "./limits.ts";

interface Posting {
  /** As `AddressGuard.checkUrl` gave it back. */
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Absent: POST. */
  readonly method?: "GET" | "POST";
  readonly addresses: AddressGuard;
  /** Of the authorities to trust instead of the known ones, in PEM. */
  readonly ca: string | undefined;
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Its beginning. */
  readonly text: string;
  /** Whether there was more. */
  readonly isCut: boolean;
}

/**
 * Posts the body and gives back the answer, whatever it says. Redirects are not followed: the address that one names is another's
 * choice. Each posting has a connection of its own: messages are rare, and a kept connection is closed by the other side just when it
 * is used again.
 */
export async function post(posting: Posting): Promise<Answer> {
  const { url, body, signal, addresses } = posting;
  const options: RequestOptions & { ca?: string } = {
    method: posting.method ?? "POST",
    headers: { ...posting.headers, ...(posting.method === "GET" ? {} : { "content-length": body.length }) },
    agent: false,
    lookup: addresses.lookup,
    signal,
    ...(posting.ca === undefined ? {} : { ca: posting.ca }),
  };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = url.protocol === "https:" ? requestTls(url, options) : request(url, options);
    outgoing.on("response", resolve);
    // Also once the answer has begun: what then breaks is the answer's.
    outgoing.on("error", reject);
    outgoing.end(body);
  });
  return { status: response.statusCode!, headers: response.headers, ...(await beginningOf(response)) };
}

/** As much of the body as there is and is wanted. */
async function beginningOf(response: IncomingMessage): Promise<{ text: string; isCut: boolean }> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > MAX_ANSWER_BYTES) break;
    }
  } catch {
    // The status says what became of the message; a body that breaks off only explains less.
    return { text: Buffer.concat(chunks).toString("utf8", 0, MAX_ANSWER_BYTES), isCut: true };
  } finally {
    response.destroy();
  }
  return { text: Buffer.concat(chunks).toString("utf8", 0, MAX_ANSWER_BYTES), isCut: bytes > MAX_ANSWER_BYTES };
}
