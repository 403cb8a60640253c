/** `POST /api/v1/read`: remote_read, by which a Prometheus answers its own queries from what is stored here. */
import { createRequire } from "node:module";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Matcher, type MatcherOperator, MatcherProblem, valueTest } from "../../../formats/matchers.ts";
import {
  LabelMatcher_Type,
  type Query,
  QueryResultSchema,
  type ReadRequest as Read,
  ReadRequest_ResponseType,
  ReadRequestSchema,
  ReadResponseSchema,
  TimeSeriesSchema,
} from "../../../gen/es/prometheus/remote_pb.ts";
import { HttpRefusal } from "../../ingest/protocol.ts";
import { uncompress } from "../../ingest/protocols/prometheus/snappy.ts";
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

export async function remoteRead({ body, headers }: ReadRequest, source: SampleSource): Promise<ReadResponse> {
  const { queries } = requestOf(body, headers);
  if (queries.length > MAX_QUERIES)
    throw badQuery(`the request has ${queries.length} queries: send at most ${MAX_QUERIES}`);
  const results = [];
  const expressions = new ExpressionBudget();
  const matchers = queries.map((query) => query.matchers.map((matcher) => matcherOf(matcher, expressions)));
  for (const [i, query] of queries.entries()) {
    const series = await source.select(matchers[i]!, rangeOf(query));
    results.push(create(QueryResultSchema, { timeseries: series.map(timeSeries) }));
  }
  const message = toBinary(ReadResponseSchema, create(ReadResponseSchema, { results }));
  return {
    status: 200,
    headers: { "content-type": "application/x-protobuf", "content-encoding": "snappy" },
    body: snappy.compress(message),
  };
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

/** Of several readings in a millisecond, which is all that Prometheus knows of time, the last. */
function timeSeries({ labels, timesMs, values }: Samples) {
  const whole = Array.from(timesMs, Math.floor);
  const kept = whole.flatMap((timeMs, i) => (whole[i + 1] === timeMs ? [] : [i]));
  return create(TimeSeriesSchema, {
    labels: labels.entries.map(([name, value]) => ({ name, value })),
    samples: kept.map((i) => ({ timestamp: BigInt(whole[i]!), value: values[i]! })),
  });
}
