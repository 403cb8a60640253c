import type { ErrorKind } from "../errors.ts";
import { TelltaleError } from "../errors.ts";
import type { EndpointDocument } from "../lib/endpoint-document.ts";
import type { Principal } from "../security/principal.ts";
import type { Batch } from "./accept.ts";
import type { Submission } from "./ingestor.ts";
import type { SettledBatch } from "./settled.ts";

/**
 * A protocol by which readings come in over plain HTTP, beside the contract's own calls. It has the listener's port, TLS, limits,
 * credentials, quota, metrics and orderly stop; what is its own is to read a body and to say what became of it.
 */
export type HttpProtocol = IngestProtocol | StreamedProtocol | Probe;

interface Endpoint {
  /** For metrics and log lines, such as "influx". */
  readonly name: string;
  readonly method: "POST" | "PUT";
  /** The whole path, such as "/api/v2/write". */
  readonly path: string;
  readonly document: EndpointDocument;
  /** The authorization header as the platform reads it, where senders write another; absent: they write the same. */
  readonly credential?: (headers: Headers) => string | null;
  /** The answer to what failed, where senders expect another than `{"code", "message"}` with the status. */
  readonly refuse?: (failure: ProtocolFailure, headers: Headers) => ProtocolResponse;
}

/** One whose bodies are of a bounded size, and read whole. */
export interface IngestProtocol extends Endpoint {
  /** Before the body is read and unpacked. @throws HttpRefusal for what it does not take, whatever the body is */
  checkHeaders?(headers: Headers): void;
  /** Whatever it throws is answered by kind: HttpRefusal with its status, TelltaleError as the status of its kind, anything else as 500. */
  handle(request: ProtocolRequest): Promise<ProtocolResponse>;
}

/** One whose bodies are of any size, and stored while they are read. */
export interface StreamedProtocol extends Endpoint {
  /** Whatever it throws is answered as for `handle`. */
  handleStream(request: StreamedRequest): Promise<ProtocolResponse>;
}

/** What senders ask by GET or HEAD, without a credential, before they send: whoever asks gets the same answer. */
export interface Probe {
  readonly name: string;
  readonly method: "GET";
  readonly path: string;
  readonly document: EndpointDocument;
  readonly probe: ProtocolResponse;
}

interface Asked {
  readonly headers: Headers;
  readonly query: URLSearchParams;
  readonly principal: Principal;
  /** Aborts when the caller is gone or the listener gives up waiting. */
  readonly signal: AbortSignal;
  /** Counts what becomes no reading because there is none in it, such as a text. */
  readonly skip: Skip;
}

export interface ProtocolRequest extends Asked {
  /** Whole, and without the content encodings gzip, deflate and br. */
  readonly body: Uint8Array;
  /** Of a body in other encodings, when it is unpacked. */
  readonly maxBodyBytes: number;
  /**
   * Hands readings over within the caller's quota. Answer with success only once `durable` or `settled` of it has resolved.
   *
   * @throws TelltaleError "exhausted" over the quota or where there is no room, with the time to wait
   */
  submit(batch: Partial<Batch>): Promise<Submission>;
  /**
   * Counts memory that is taken beside the body until the request is answered, bytes.
   *
   * @throws HttpRefusal 503 where requests under way take all that there is
   */
  readonly hold: (bytes: number) => void;
}

export interface StreamedRequest extends Asked {
  /** Who is counted where callers share something: see `callerOf`. */
  readonly who: string;
  /**
   * Pieces of at most 64 KiB, without the content encodings gzip, deflate and br. The caller is slowed as far as the pieces are not
   * asked for. To be read once; what is left when the protocol answers is nobody's.
   *
   * @throws HttpRefusal 400 for a body that is not in its encoding or breaks off in it, 413 for one that unpacks to too much
   * @throws ConnectError "deadline exceeded" where the caller sends nothing for too long
   */
  readonly body: AsyncIterable<Uint8Array>;
  /**
   * Hands readings over as soon as there is room and the caller's rate allows it: nothing more of the body should be read until then.
   *
   * @throws TelltaleError "exhausted" where nothing can be stored, or the caller has too many sensors
   * @throws ConnectError "deadline exceeded" where there is no room for too long
   */
  submit(batch: Partial<Batch>): Promise<Submission>;
  /** What became of a batch. @throws ConnectError "deadline exceeded" where it is not known for too long */
  settled(submission: Submission): Promise<SettledBatch>;
}

/** @param reason one of few, such as "string_field" @param example for the log */
export type Skip = (reason: string, count: number, example?: string) => void;

export interface ProtocolResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export interface ProtocolFailure {
  readonly status: number;
  /** Of gRPC, in snake case and by number. */
  readonly code: string;
  readonly number: number;
  readonly message: string;
  /** Seconds after which the same request may succeed. */
  readonly retryAfter: string | undefined;
}

/** A refusal with a status of HTTP that its kind alone does not have. */
export class HttpRefusal extends TelltaleError {
  readonly status: number;

  constructor(status: number, kind: ErrorKind, message: string, options: { readonly retryAfterMs?: number } = {}) {
    super(kind, message, options);
    this.status = status;
  }
}
