/** What requests of plain HTTP have in common, whether readings come in by them or are read: who asks, and what is said of a failure. */
import type { ConnectError } from "@connectrpc/connect";
import { codeToHttpStatus, codeToString } from "@connectrpc/connect/protocol-connect";
import { HttpRefusal, type ProtocolFailure, type ProtocolResponse } from "../ingest/protocol.ts";
import type { Logger } from "../observe/logger.ts";
import { requestId, type SampledLines } from "../observe/sampled.ts";
import { callerOf, type Peer, type Principal } from "../security/principal.ts";
import type { Quota } from "../security/quota.ts";
import { type Access, accessRequest } from "./access.ts";
import { logFailure, REQUEST_ID } from "./errors.ts";
import { headersOf, type NodeServerRequest, type NodeServerResponse, send } from "./node-http.ts";

export interface Admitted {
  readonly headers: Headers;
  readonly url: URL;
  readonly principal: Principal;
  /** Who is asked for the quota. */
  readonly caller: string;
}

export interface Admission {
  /** What a caller must be allowed. */
  readonly action: string;
  /** The authorization header as the platform reads it; absent: callers write the same. */
  readonly credential?: ((headers: Headers) => string | null) | undefined;
}

/** By the headers alone: what is refused here is never read. */
export async function admit(
  request: NodeServerRequest,
  { action, credential }: Admission,
  o: {
    readonly access: Access;
    readonly quota: Quota | undefined;
    readonly peerOf: (request: NodeServerRequest) => Peer;
  },
): Promise<Admitted> {
  const headers = headersOf(request);
  const url = new URL(request.url ?? "", `http://${request.headers[":authority"] ?? request.headers.host}`);
  const byHeaders = accessRequest(o.access, action, { headers, url: url.href, peer: o.peerOf(request) });
  const asked = credential === undefined ? byHeaders : { ...byHeaders, credential: credential(headers) };
  const principal = await o.access.authorize(asked);
  const caller = callerOf(principal, asked.peer.address);
  await o.quota?.call(caller);
  return { headers, url, principal, caller };
}

export interface FailedCall {
  readonly error: unknown;
  /** The error as the caller sees it. */
  readonly failure: ConnectError;
  /** For the log. */
  readonly method: string;
  /** The answer in the form that its callers expect. */
  readonly refuse: (failure: ProtocolFailure) => ProtocolResponse;
}

/** Logs the failure, and answers with it where nothing was answered yet. */
export function answerFailure(
  request: NodeServerRequest,
  response: NodeServerResponse,
  { error, failure, method, refuse }: FailedCall,
  log: { readonly logger: Logger; readonly lines: SampledLines },
): void {
  const given = request.headers[REQUEST_ID];
  const id = requestId(typeof given === "string" ? given : null);
  logFailure(error, failure, { method, id, ...log });
  if (response.headersSent || response.destroyed) return;
  const told = {
    status: error instanceof HttpRefusal ? error.status : codeToHttpStatus(failure.code),
    ...{ code: codeToString(failure.code), number: failure.code, message: failure.rawMessage },
    retryAfter: failure.metadata.get("retry-after") ?? undefined,
  };
  const answer = refuse(told);
  const wait = told.retryAfter === undefined ? {} : { "retry-after": told.retryAfter };
  send(response, { ...answer, headers: { [REQUEST_ID]: id, ...wait, ...answer.headers } });
}
