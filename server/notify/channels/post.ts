import { once } from "node:events";
import {
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestOptions,
  request,
} from "node:http";
import { request as requestTls } from "node:https";
import { isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { AddressGuard } from "./addresses.ts";
import { MAX_ANSWER_BYTES } from "./limits.ts";
import type { HttpProxy } from "./proxy.ts";
import type { TlsOptions } from "./tls.ts";

interface Posting {
  /** As `AddressGuard.checkUrl` gave it back. */
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Absent: POST. */
  readonly method?: "GET" | "POST" | "PUT";
  readonly addresses: AddressGuard;
  readonly tls?: TlsOptions;
  /** Absent: the address is called itself. */
  readonly proxy?: HttpProxy | undefined;
  /** Of the answer, that are read. */
  readonly maxAnswerBytes?: number;
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Its beginning. */
  readonly text: string;
  /** Whether there was more. */
  readonly isCut: boolean;
  /** Of a proxy that opened no connection: it says nothing about the receiver. */
  readonly isOfProxy?: true;
}

/**
 * Posts the body and gives back the answer, whatever it says: a proxy's, where that lets nobody through. Redirects are not followed: the
 * address that one names is another's choice. Each posting has a connection of its own: messages are rare, and a kept connection is closed by
 * the other side just when it is used again.
 */
export async function post(posting: Posting): Promise<Answer> {
  const { body, maxAnswerBytes = MAX_ANSWER_BYTES } = posting;
  const outgoing = await requestOf(posting);
  if (!(outgoing instanceof Refused)) {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.on("response", resolve);
      // Also once the answer has begun: what then breaks is the answer's.
      outgoing.on("error", reject);
      outgoing.end(body);
    });
    return answerOf(response, maxAnswerBytes);
  }
  return outgoing.answer;
}

/** The answer of a proxy that opens no tunnel. */
class Refused {
  readonly answer: Answer;

  constructor(answer: Answer) {
    this.answer = answer;
  }
}

async function requestOf(posting: Posting): Promise<ClientRequest | Refused> {
  const { url, body, signal, addresses, proxy, tls = {}, method = "POST" } = posting;
  const headers = { ...posting.headers, ...(method === "GET" ? {} : { "content-length": body.length }) };
  const options: RequestOptions & TlsOptions = { method, headers, signal };
  if (proxy === undefined) {
    const direct = { ...options, ...tls, agent: false, lookup: addresses.lookup };
    return url.protocol === "https:" ? requestTls(url, direct) : request(url, direct);
  }
  await addresses.checkName(url.hostname);
  if (url.protocol === "http:") {
    const { username, password } = url;
    const auth = username === "" ? {} : { auth: `${decodeURIComponent(username)}:${decodeURIComponent(password)}` };
    const path = url.origin + url.pathname + url.search;
    const whole = { ...options, ...auth, headers: { ...headers, host: url.host, ...proxy.headers }, path };
    return toProxy(proxy, whole, posting);
  }
  const tunnel = await tunnelTo(url, proxy, posting);
  if (tunnel instanceof Refused) return tunnel;
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const secured = connectTls({ ...(isIP(host) === 0 && { servername: host }), host, ...tls, socket: tunnel });
  // Without an agent, so that the request has this connection and no other.
  return requestTls(url, { ...options, createConnection: () => secured });
}

function toProxy(proxy: HttpProxy, options: RequestOptions, { addresses, tls = {} }: Posting): ClientRequest {
  const url = addresses.checkUrl(proxy.url.href);
  const all = { ...options, agent: false, lookup: addresses.lookup };
  // The authorities count for the proxy as well; a name and a certificate of ours are the receiver's matter.
  const { ca, rejectUnauthorized } = tls;
  const trusted = { ...(ca !== undefined && { ca }), ...(rejectUnauthorized === false && { rejectUnauthorized }) };
  return url.protocol === "https:" ? requestTls(url, { ...all, ...trusted }) : request(url, all);
}

/**
 * By hand, because the agents that do it lose what is needed here: `https-proxy-agent` (9) leaves the connection open where the call is given up
 * before the proxy answers, and shows a proxy's refusal as the receiver's answer; `undici` (8) makes that an error without its Retry-After.
 */
async function tunnelTo(url: URL, proxy: HttpProxy, posting: Posting): Promise<Socket | Refused> {
  const to = `${url.hostname}:${url.port || 443}`;
  const headers = { host: to, ...proxy.headers };
  const asked = toProxy(proxy, { method: "CONNECT", path: to, headers, signal: posting.signal }, posting);
  asked.end();
  const [response, socket] = (await once(asked, "connect")) as [IncomingMessage, Socket];
  if (response.statusCode === 200) return socket;
  socket.destroy();
  const text = `the proxy opens no connection to ${url.hostname}`;
  return new Refused({ status: response.statusCode!, headers: response.headers, text, isCut: false, isOfProxy: true });
}

/** With as much of the body as there is and is wanted. */
async function answerOf(response: IncomingMessage, most: number): Promise<Answer> {
  const { statusCode: status = 0, headers } = response;
  const chunks: Buffer[] = [];
  let bytes = 0;
  let isWhole = true;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > most) break;
    }
  } catch {
    // The status says what became of the message; a body that breaks off only explains less.
    isWhole = false;
  } finally {
    response.destroy();
  }
  const text = Buffer.concat(chunks).toString("utf8", 0, most);
  return { status, headers, text, isCut: !isWhole || bytes > most };
}
