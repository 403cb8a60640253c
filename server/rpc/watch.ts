import { create, fromBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import type { ScoredReading } from "../../gen/es/telltale/v1/reading_pb.ts";
import {
  AlertEventSchema,
  type WatchAlertsRequest,
  WatchAlertsResponseSchema,
  type WatchReadingsRequest,
  WatchReadingsResponseSchema,
  type WatchService,
} from "../../gen/es/telltale/v1/watch_pb.ts";
import { TelltaleError } from "../errors.ts";
import { shown } from "../ingest/check.ts";
import type { Feed } from "../live/feed.ts";
import { deliveredSpan } from "../observe/batch-spans.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Interest } from "../pipeline/messages.ts";
import type { Queries } from "../store/queries.ts";
import { maySee, type Principal, principalOf } from "./principal.ts";
import { invalid } from "./query.ts";

/** A quiet watch says that it lives this often. */
const SIGN_OF_LIFE_MS = 15_000;
/** Watches of one process, so that nobody can take all its memory. */
const MAX_WATCHES = 2000;
/** Alert events read from the store at once. */
const EVENTS_AT_ONCE = 500;
/** Readings in one response. */
const READINGS_AT_ONCE = 2000;

export interface WatchOptions {
  readonly queries: Queries;
  readonly metrics: Metrics;
  /** Readings as they are committed. */
  readonly readings: Feed<readonly ScoredReading[]>;
  /** Changes whenever alert events were committed; the events themselves are in the store. */
  readonly alertsChanged: Feed<null>;
  /** Tells the scorers which readings are watched. */
  readonly interested: (interest: Interest | undefined) => Promise<void>;
  /** Aborts when the server begins to close. */
  readonly shutdown: AbortSignal;
}

export function createWatchService(o: WatchOptions): ServiceImpl<typeof WatchService> {
  const watches = new Set<WatchReadingsRequest>();
  let count = 0;

  async function* counted<T>(kind: "readings" | "alerts", run: () => AsyncGenerator<T>): AsyncGenerator<T> {
    if (count >= MAX_WATCHES) {
      throw new TelltaleError("exhausted", `there are ${count} watches already: end some, or try again later`, {
        retryAfterMs: 5000,
      });
    }
    count++;
    o.metrics.watchers.inc({ kind });
    try {
      yield* run();
    } finally {
      count--;
      o.metrics.watchers.dec({ kind });
    }
  }

  return {
    watchReadings: (request, context) =>
      counted("readings", async function* () {
        const signal = AbortSignal.any([context.signal, o.shutdown]);
        watches.add(request);
        try {
          await o.interested(interestOf(watches));
          yield* watchReadings(o, request, principalOf(context), signal);
        } finally {
          watches.delete(request);
          await o.interested(interestOf(watches));
        }
      }),
    watchAlerts: (request, context) =>
      counted("alerts", () => watchAlerts(o, request, context, AbortSignal.any([context.signal, o.shutdown]))),
  };
}

async function* watchReadings(o: WatchOptions, r: WatchReadingsRequest, principal: Principal, signal: AbortSignal) {
  const wanted = (x: ScoredReading) =>
    maySee(principal, x.sensorId) &&
    (r.sensorId === "" || x.sensorId === r.sensorId) &&
    (r.sensorType === "" || x.sensorType === r.sensorType) &&
    (r.location === "" || x.location === r.location) &&
    (!r.anomaliesOnly || x.isAnomaly);
  let position = r.resumeToken === "" ? o.readings.next : readPosition(r.resumeToken);
  // The first message says that the watch is in place.
  let first = true;
  for (;;) {
    const changed = o.readings.changed;
    const found = o.readings.read(position);
    position = found.next;
    if (found.missed) o.metrics.watchGaps.inc({ kind: "readings" });
    const readings = found.items.flat().filter(wanted);
    for (let from = 0; from < readings.length || first || (found.missed && from === 0); from += READINGS_AT_ONCE) {
      const more = from + READINGS_AT_ONCE < readings.length;
      yield create(WatchReadingsResponseSchema, {
        readings: readings.slice(from, from + READINGS_AT_ONCE),
        // Only the last part may be resumed behind.
        resumeToken: more ? "" : String(position),
        missed: found.missed && from === 0,
      });
      first = false;
    }
    if (o.readings.next === position) {
      const quiet = await changedOrQuiet(changed, signal);
      if (quiet) yield create(WatchReadingsResponseSchema, { resumeToken: String(position) });
    }
  }
}

async function* watchAlerts(o: WatchOptions, r: WatchAlertsRequest, context: HandlerContext, signal: AbortSignal) {
  const principal = principalOf(context);
  // Taken before the first look, so that nothing committed in between goes unseen.
  let changed = o.alertsChanged.changed;
  const known = await o.queries.nextEvents();
  const next = r.resumeToken === "" ? known : readNumbers(r.resumeToken, known);
  yield create(WatchAlertsResponseSchema, { resumeToken: writeNumbers(next) });
  for (;;) {
    for (;;) {
      const events = await o.queries.alertEvents(next, EVENTS_AT_ONCE);
      for (const { partition, number, event } of events) {
        signal.throwIfAborted();
        next.set(partition, number + 1);
        const message = fromBinary(AlertEventSchema, event);
        const alert = message.alert!;
        if (!maySee(principal, alert.sensorId) || (r.sensorId !== "" && alert.sensorId !== r.sensorId)) continue;
        if (alert.severity < r.minSeverity || (r.severity !== 0 && alert.severity !== r.severity)) continue;
        deliveredSpan(message);
        yield create(WatchAlertsResponseSchema, { event: message, resumeToken: writeNumbers(next) });
      }
      if (events.length === 0) break;
    }
    const quiet = await changedOrQuiet(changed, signal);
    changed = o.alertsChanged.changed;
    for (const partition of (await o.queries.nextEvents()).keys()) {
      if (!next.has(partition)) next.set(partition, 1);
    }
    if (quiet) yield create(WatchAlertsResponseSchema, { resumeToken: writeNumbers(next) });
  }
}

/** Resolves with true after a quiet time, with false when something changed; throws when the call or the server ends. */
function changedOrQuiet(changed: Promise<void>, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.reject(reasonOf(signal));
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => done(() => resolve(true)), SIGN_OF_LIFE_MS);
    const abort = () => done(() => reject(reasonOf(signal)));
    const done = (then: () => void) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      then();
    };
    signal.addEventListener("abort", abort, { once: true });
    changed.then(() => done(() => resolve(false)));
  });
}

function reasonOf(signal: AbortSignal): unknown {
  return signal.reason ?? new ConnectError("the watch was ended", Code.Canceled);
}

/** What the scorers must make messages of, for all watches together. */
function interestOf(watches: ReadonlySet<WatchReadingsRequest>): Interest | undefined {
  if (watches.size === 0) return undefined;
  const list = [...watches];
  return {
    everything: list.some((w) => w.sensorId === "" && w.sensorType === ""),
    sensors: list.flatMap((w) => (w.sensorId === "" ? [] : [w.sensorId])),
    types: list.flatMap((w) => (w.sensorId === "" && w.sensorType !== "" ? [w.sensorType] : [])),
  };
}

function readPosition(token: string): number {
  if (!/^\d{1,16}$/.test(token)) throw badToken(token);
  return Number(token);
}

function writeNumbers(next: ReadonlyMap<number, number>): string {
  return [...next].map(([partition, number]) => `${partition}:${number}`).join(",");
}

function readNumbers(token: string, known: ReadonlyMap<number, number>): Map<number, number> {
  const next = new Map([...known.keys()].map((partition) => [partition, 1]));
  for (const part of token.split(",")) {
    const match = /^(\d{1,5}):(\d{1,16})$/.exec(part);
    if (match === null) throw badToken(token);
    const [partition, number] = [Number(match[1]), Number(match[2])];
    // Of another installation, or of one restored from an older copy: waiting for that number would miss all before it in silence.
    if (number > (known.get(partition) ?? 1)) throw badToken(token);
    next.set(partition, number);
  }
  return next;
}

function badToken(token: string): TelltaleError {
  return invalid("resume_token", `${shown(token)} is none of ours: use resume_token of a response, or leave it empty`);
}
