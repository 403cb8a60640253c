import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import {
  type IngestService,
  type Refusal,
  RefusalReason,
  type StreamReadingsRequest,
  type SubmitReadingsRequest,
  type SubmitReadingsResponse,
  SubmitReadingsResponseSchema,
} from "../../gen/es/telltale/v1/ingest_pb.ts";
import type { ScoredReading } from "../../gen/es/telltale/v1/reading_pb.ts";
import { type FieldViolation, TelltaleError } from "../errors.ts";
import type { Ingestor, Submission } from "../ingest/ingestor.ts";
import type { SettledBatch } from "../ingest/settled.ts";
import { sensorAt, sizeOf } from "../lib/batch-size.ts";
import { either, orAbort } from "../lib/signals.ts";
import { canAccessSensor, type Principal } from "../security/principal.ts";
import { countsMessage } from "./counts.ts";
import { IngestStream } from "./ingest-stream.ts";
import { principalOf } from "./principal.ts";
import { type FindReading, type Indexed, storedBefore } from "./stored-before.ts";

/** Stored readings are sent back with a unary answer up to this many. */
const MAX_ECHO = 100;
/** A unary call without a deadline of its own waits this long for its readings to settle. */
const SETTLE_TIMEOUT_MS = 30_000;

export interface IngestOptions {
  readonly ingestor: Pick<Ingestor, "submit" | "room" | "checkRoom">;
  /** Runs when a unary call has stored something, before it is answered. */
  readonly onStored: () => Promise<void>;
  /** A sensor's stored reading at a time, microseconds. */
  readonly find: FindReading;
  /** Aborts when the server begins to close. */
  readonly shutdown: AbortSignal;
}

export function createIngestService({ ingestor, onStored, find, shutdown }: IngestOptions) {
  return {
    async submitReadings(request: SubmitReadingsRequest, context: HandlerContext): Promise<SubmitReadingsResponse> {
      const points = sizeOf(request);
      if (points === 0 && request.blocks.length === 0) {
        const description = "readings is empty: give at least one reading";
        throw new TelltaleError("invalid", description, { violations: [{ field: "readings", description }] });
      }
      ingestor.checkRoom();
      const echo = points <= MAX_ECHO;
      const callTraceparent = context.requestHeader.get("traceparent") ?? "";
      const principal = principalOf(context);
      const submission = ingestor.submit({ ...request, traceparent: "", callTraceparent, echo }, principal);
      if (submission.rejected === submission.readings) throw allRefused(submission.refusals, request);
      const { counts, refusals, stored: fresh } = await settledInTime(submission, context.signal);
      await onStored();
      const before = echo ? await storedBefore(request, { fresh, refusals }, find) : [];
      const stored = [...fresh, ...before].sort((a, b) => a.index - b.index);
      const metadata = new Map(request.readings.map((r, i) => [i, r.metadata]));
      return create(SubmitReadingsResponseSchema, {
        counts: countsMessage([counts]),
        refusals: [...refusals],
        stored: stored.map((each) => {
          const given = metadata.get(each.index);
          const reading = asSent(each, request, principal);
          return given === undefined ? reading : { ...reading, metadata: given };
        }),
      });
    },

    async *streamReadings(requests: AsyncIterable<StreamReadingsRequest>, context: HandlerContext) {
      const stream = new IngestStream(ingestor, principalOf(context));
      const { signal, leave } = either(context.signal, shutdown);
      try {
        const reading = stream.read(requests, signal);
        reading.catch(() => stream.wake()); // told by responses()
        yield* stream.responses(reading, signal);
      } finally {
        leave();
      }
    },
  } satisfies ServiceImpl<typeof IngestService>;
}

function allRefused(refusals: readonly Refusal[], request: SubmitReadingsRequest): TelltaleError {
  const violations = refusals.map((r): FieldViolation => ({ field: placeOf(r, request), description: r.message }));
  const first = violations[0]!;
  const more = violations.length > 1 ? ` (and ${violations.length - 1} more)` : "";
  const all = (reason: RefusalReason) => refusals.every((r) => r.reason === reason);
  const exhausted = all(RefusalReason.TOO_MANY_SENSORS) ? "exhausted" : "invalid";
  return new TelltaleError(
    all(RefusalReason.FORBIDDEN) ? "forbidden" : exhausted,
    `${first.field}: ${first.description}${more}`,
    {
      violations,
    },
  );
}

/** The field of the request that a refusal is about. Indices count the readings, then the points of all blocks. */
function placeOf({ index, field }: Refusal, { readings, blocks }: SubmitReadingsRequest): string {
  if (index < readings.length) return field === "" ? `readings[${index}]` : `readings[${index}].${field}`;
  let point = index - readings.length;
  let block = 0;
  while (block < blocks.length - 1 && point >= blocks[block]!.values.length) point -= blocks[block++]!.values.length;
  if (field === "" || field === "value" || field === "values") return `blocks[${block}].values[${point}]`;
  if (field === "observed_at") return `blocks[${block}].time_deltas_us[${point}]`;
  return `blocks[${block}].${field}`;
}

/** Under the id that it was sent under, where the sensor has another one by now that the sender may not know. */
function asSent({ index, reading }: Indexed, request: SubmitReadingsRequest, principal: Principal): ScoredReading {
  if (canAccessSensor(principal, reading.sensorId)) return reading;
  return { ...reading, sensorId: sensorAt(request, index) };
}

/** What became of it, or the error of a call whose deadline has passed. */
async function settledInTime({ settled }: Submission, signal: AbortSignal): Promise<SettledBatch> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const message = `the readings were not settled within ${SETTLE_TIMEOUT_MS / 1000} s: ask for them, or send them again with the same times`;
    reject(new ConnectError(message, Code.DeadlineExceeded));
  }, SETTLE_TIMEOUT_MS);
  try {
    return await orAbort(Promise.race([settled, late]), signal);
  } finally {
    // A thousand calls a second would leave thirty thousand timers behind.
    clearTimeout(timer);
  }
}
