/** What a protocol over plain HTTP says of itself, beside its handler: the OpenAPI document and the reference are made of it. */

export interface EndpointDocument {
  /** Unique, in snake case. */
  readonly operationId: string;
  /** In some words. */
  readonly summary: string;
  /** What a client has to know, in a paragraph, and where to read more. */
  readonly description: string;
  /** Absent: the request has none. */
  readonly body?: {
    /** Content types that are taken; another is refused with 415. */
    readonly types: readonly string[];
    /** Content encodings; `required`: each body has one of them. */
    readonly encodings: readonly string[];
    readonly encodingRequired?: true;
  };
  readonly query: readonly DocumentedParameter[];
  /** By status: of what was stored, and of what the protocol itself refuses. */
  readonly answers: Readonly<Record<number, DocumentedAnswer>>;
  /** Of all other refusals: their content types and, where it is JSON, their shape. Absent: nothing is refused. */
  readonly refusal?: DocumentedAnswer;
  /** How callers say who they are; none: they need not. */
  readonly credentials: readonly Credential[];
}

/** `bearer`: a token, as everywhere. `token`: InfluxDB's `Token SECRET`. `basic`: the secret as a password. `session`: the console's. */
export type Credential = "bearer" | "token" | "basic" | "session";

export interface DocumentedParameter {
  readonly name: string;
  readonly description: string;
  readonly choices?: readonly string[];
  /** It may be given several times. */
  readonly isList?: true;
}

export interface DocumentedAnswer {
  readonly description: string;
  /** Content types; none: the answer has no body. */
  readonly types: readonly string[];
  /** Of JSON, as JSON Schema. */
  readonly schema?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An object of these properties, all of which are there. */
export function objectSchema(properties: Readonly<Record<string, object>>): Readonly<Record<string, unknown>> {
  return { type: "object", required: Object.keys(properties), properties };
}

export const TEXT = { type: "string" } as const;
export const COUNT = { type: "integer", minimum: 0 } as const;
/** Content encodings that the listener takes off. */
export const ENCODINGS = ["gzip", "deflate", "br"] as const;
