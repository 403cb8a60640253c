/** `POST /api/v1/read`: remote_read, by which a Prometheus answers its own queries from what is stored here. */
import { createRequire } from "node:module";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Matcher, type MatcherOperator, MatcherProblem, valueTest } from "../../../formats/matchers.ts";
import {
  LabelMatcher_Type,
  type Query,
  type ReadRequest as Read,
  ReadRequest_ResponseType,
  ReadRequestSchema,
  TimeSeriesSchema,
} from "../../../gen/es/prometheus/remote_pb.ts";
import { HttpRefusal } from "../../ingest/protocol.ts";
import { uncompress } from "../../ingest/protocols/prometheus/snappy.ts";
import { Turns } from "../../lib/turns.ts";
import { badQuery } from "../../promql/errors.ts";
import type { SampleSource } from "../../promql/evaluate.ts";
import { ExpressionBudget } from "../../promql/parse.ts";
import type { Samples } from "../../promql/values.ts";
import type { ReadRequest, ReadResponse } from "../read-routes.ts";

/** Has no types of its own. */
const snappy = createRequire(import.meta.url)("snappyjs") as { compress(bytes: Uint8Array): Uint8Array };

/** Of a request, unpacked. */
const MAX_BYTES = 4 * 1024 * 1024;
const MAX_QUERIES = 100;

const OPERATORS: Readonly<Record<LabelMatcher_Type, MatcherOperator>> = {
  [LabelMatcher_Type.EQ]: "=",
  [LabelMatcher_Type.NEQ]: "!=",
  [LabelMatcher_Type.RE]: "=~",
  [LabelMatcher_Type.NRE]: "!~",
};

export async function remoteRead({ body, headers, signal }: ReadRequest, source: SampleSource): Promise<ReadResponse> {
  const { queries } = requestOf(body, headers);
  if (queries.length > MAX_QUERIES)
    throw badQuery(`the request has ${queries.length} queries: send at most ${MAX_QUERIES}`);
  const expressions = new ExpressionBudget();
  const matchers = queries.map((query) => query.matchers.map((matcher) => matcherOf(matcher, expressions)));
  const answer = new Answer(signal);
  for (const [i, query] of queries.entries()) {
    await answer.add(await source.select(matchers[i]!, rangeOf(query)));
  }
  return {
    status: 200,
    headers: { "content-type": "application/x-protobuf", "content-encoding": "snappy" },
    body: await answer.compressed(),
  };
}

/** Samples that are written at once. */
const PIECE_SAMPLES = 1_000;
/** `results` of the response and `timeseries` of a result: both are field 1, and have a length. */
const FIRST_FIELD = 0x0a;

/** A `prometheus.ReadResponse`, written and compressed in pieces, so that others have their turn. */
class Answer {
  readonly #signal: AbortSignal;
  readonly #turns = new Turns();
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** The result of the next query. */
  async add(all: readonly Samples[]): Promise<void> {
    const pieces: Uint8Array[] = [];
    for (const samples of all) {
      const own = await this.#timeSeries(samples);
      pieces.push(prefixOf(own), ...own);
    }
    this.#push(prefixOf(pieces));
    for (const piece of pieces) this.#push(piece);
  }

  /** In snappy's block format: the length of all, and each piece by itself. */
  async compressed(): Promise<Uint8Array> {
    const packed: Uint8Array[] = [varint(this.#bytes)];
    for (const piece of this.#pieces) {
      packed.push(snappy.compress(piece).subarray(varint(piece.length).length));
      await this.#pause();
    }
    this.#pieces = [];
    return Buffer.concat(packed);
  }

  /** Encodings of a message that follow one another are one of all their fields. */
  async #timeSeries({ labels, timesMs, values }: Samples): Promise<Uint8Array[]> {
    const named = labels.entries.map(([name, value]) => ({ name, value }));
    const pieces = [toBinary(TimeSeriesSchema, create(TimeSeriesSchema, { labels: named }))];
    for (let from = 0; from < timesMs.length; from += PIECE_SAMPLES) {
      const samples = [];
      for (let i = from; i < Math.min(from + PIECE_SAMPLES, timesMs.length); i++) {
        const timeMs = Math.floor(timesMs[i]!);
        // Of several readings in a millisecond, which is all that Prometheus knows of time, the last.
        if (i + 1 < timesMs.length && Math.floor(timesMs[i + 1]!) === timeMs) continue;
        samples.push({ timestamp: BigInt(timeMs), value: values[i]! });
      }
      pieces.push(toBinary(TimeSeriesSchema, create(TimeSeriesSchema, { samples })));
      await this.#pause();
    }
    return pieces;
  }

  #push(piece: Uint8Array): void {
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.#bytes += piece.length;
  }

  async #pause(): Promise<void> {
    this.#signal.throwIfAborted();
    if (this.#turns.isLong()) await this.#turns.take();
  }
}

function prefixOf(pieces: readonly Uint8Array[]): Uint8Array {
  const length = varint(pieces.reduce((sum, piece) => sum + piece.length, 0));
  return Uint8Array.of(FIRST_FIELD, ...length);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.from([...bytes, rest]);
    bytes.push((rest % 128) + 128);
  }
}

function requestOf(body: Uint8Array, headers: Headers): Read {
  const encoding = headers.get("content-encoding") ?? "";
  if (encoding.trim().toLowerCase() !== "snappy")
    throw new HttpRefusal(415, "invalid", `content-encoding is ${JSON.stringify(encoding.slice(0, 50))}: send snappy`);
  const bytes = uncompress(body, MAX_BYTES);
  let request: Read;
  try {
    request = fromBinary(ReadRequestSchema, bytes);
  } catch (error) {
    throw badQuery(`the body is no prometheus.ReadRequest: ${(error as Error).message}`);
  }
  const types = request.acceptedResponseTypes;
  if (types.length > 0 && !types.includes(ReadRequest_ResponseType.SAMPLES))
    throw badQuery("accepted_response_types leaves SAMPLES out, which is the one that is answered");
  return request;
}

function matcherOf({ type, name, value }: Query["matchers"][number], expressions: ExpressionBudget): Matcher {
  const matcher: Matcher = { name, operator: OPERATORS[type] ?? "=", value };
  expressions.spend(matcher);
  try {
    valueTest(matcher);
  } catch (error) {
    if (!(error instanceof MatcherProblem)) throw error;
    throw badQuery(error.message);
  }
  return matcher;
}

/** Both ends of the request's are inclusive. */
function rangeOf({ startTimestampMs, endTimestampMs }: Query): { fromMs: number; toMs: number } {
  return { fromMs: Number(startTimestampMs) - 1, toMs: Number(endTimestampMs) };
}
