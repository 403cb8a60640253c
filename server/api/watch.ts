import { create, fromBinary } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { ScoredReading } from "../../gen/es/telltale/v1/reading_pb.ts";
import {
  AlertEventSchema,
  type WatchAlertsRequest,
  WatchAlertsResponseSchema,
  type WatchReadingsRequest,
  WatchReadingsResponseSchema,
  type WatchService,
} from "../../gen/es/telltale/v1/watch_pb.ts";
import { renamedMessage } from "../detect/index.ts";
import type { TelltaleError } from "../errors.ts";
import { quoted } from "../lib/quoted.ts";
import { delay } from "../lib/signals.ts";
import type { EncodedReadings, LeftOut } from "../live/encoded-readings.ts";
import type { Feed } from "../live/feed.ts";
import { deliveredSpan } from "../observe/batch-spans.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Interest } from "../scoring/messages.ts";
import { callerOf, canAccessSensor } from "../security/principal.ts";
import type { SensorNames } from "../store/names.ts";
import type { Queries } from "../store/queries.ts";
import { peerKey, principalKey, principalOf } from "./principal.ts";
import { invalid } from "./query.ts";
import { WatchInterest } from "./watch-interest.ts";
import { WatchPace } from "./watch-pace.ts";
import type { WatchShares } from "./watch-shares.ts";

/** A quiet watch says that it lives this often. */
const SIGN_OF_LIFE_MS = 15_000;
/** Alert events read from the store at once. */
const EVENTS_AT_ONCE = 500;
/** Readings in one response: below the 4 MiB that a client takes by default, also with the longest texts. */
const READINGS_AT_ONCE = 1000;
/** Looked at at once, in binary form: a watch that lags holds no more than this as messages. */
const BYTES_AT_ONCE = 128 * 1024;

export interface WatchOptions {
  readonly queries: Queries;
  readonly names: Pick<SensorNames, "current">;
  readonly metrics: Metrics;
  readonly shares: WatchShares;
  /** Readings as they are committed. */
  readonly readings: Feed<EncodedReadings>;
  /** Changes whenever alert events were committed; the events themselves are in the store. */
  readonly alertsChanged: Feed<null>;
  /** Readings a second that are sent to all watches together. */
  readonly readingsPerSecond: number;
  /** Sends the scorers the readings that are watched. */
  readonly interested: (interest: Interest | undefined) => Promise<void>;
}

export function createWatchService(o: WatchOptions): ServiceImpl<typeof WatchService> {
  const interest = new WatchInterest(o.interested);
  const pace = new WatchPace(o.readingsPerSecond);

  return {
    watchReadings: (request, context) =>
      o.shares.counted("readings", context, async function* () {
        // Of a sensor that it may not see, it is not told even that there is anything to miss.
        const shown = o.names.current.shownOf(request.sensorId);
        if (shown !== "" && !canAccessSensor(principalOf(context), shown))
          return yield* watchNothing(o, request, context);
        try {
          await interest.add(request);
          yield* watchReadings(o, pace, request, context);
        } finally {
          await interest.remove(request);
        }
      }),
    watchAlerts: (request, context) => o.shares.counted("alerts", context, () => watchAlerts(o, request, context)),
  };
}

async function* watchReadings(o: WatchOptions, pace: WatchPace, r: WatchReadingsRequest, context: HandlerContext) {
  const principal = principalOf(context);
  const caller = callerOf(context.values.get(principalKey), context.values.get(peerKey).address);
  const wanted = (x: ScoredReading) =>
    canAccessSensor(principal, x.sensorId) &&
    (r.sensorType === "" || x.sensorType === r.sensorType) &&
    (r.location === "" || x.location === r.location) &&
    (!r.anomaliesOnly || x.isAnomaly);
  let { position, skip } = r.resumeToken === "" ? { position: o.readings.next, skip: 0 } : readPosition(r.resumeToken);
  // A sensor that is renamed meanwhile goes on to be watched.
  const idsOf = (sensorId: string) => o.names.current.namesOf(sensorId);
  // The first message says that the watch is in place.
  let first = true;
  let sentMs = performance.now();
  for (;;) {
    const found = o.readings.read(position, BYTES_AT_ONCE);
    position = found.next;
    const missed = found.missed || found.items.some((piece) => misses(r, piece.leftOut));
    if (missed) o.metrics.watchGaps.inc({ kind: "readings" });
    const readings = found.items
      .flatMap((piece) => (r.sensorId === "" ? piece.readings : idsOf(r.sensorId).flatMap((id) => piece.of(id))))
      .filter(wanted)
      .slice(found.missed ? 0 : skip);
    skip = 0;
    if (readings.length > 0) await pace.take(caller, readings.length, context.signal);
    for (let from = 0; from < readings.length || first || (missed && from === 0); from += READINGS_AT_ONCE) {
      const more = from + READINGS_AT_ONCE < readings.length;
      yield create(WatchReadingsResponseSchema, {
        readings: readings.slice(from, from + READINGS_AT_ONCE),
        // Only the last part may be resumed behind.
        resumeToken: more ? "" : String(position),
        missed: missed && from === 0,
      });
      first = false;
      sentMs = performance.now();
    }
    // Also where readings come all the time and none of them is this watch's.
    if (performance.now() - sentMs >= SIGN_OF_LIFE_MS) {
      yield create(WatchReadingsResponseSchema, { resumeToken: String(position) });
      sentMs = performance.now();
    }
    await o.readings.changed(position, untilSign(sentMs), context.signal);
  }
}

/** A watch that nothing can meet: signs of life alone. */
async function* watchNothing({ readings }: WatchOptions, r: WatchReadingsRequest, { signal }: HandlerContext) {
  if (r.resumeToken !== "") readPosition(r.resumeToken);
  for (;;) {
    yield create(WatchReadingsResponseSchema, { resumeToken: String(readings.next) });
    await delay(SIGN_OF_LIFE_MS, signal);
  }
}

async function* watchAlerts(o: WatchOptions, r: WatchAlertsRequest, context: HandlerContext) {
  const principal = principalOf(context);
  const { signal } = context;
  // Taken before the first look, so that nothing committed in between goes unseen.
  let seen = o.alertsChanged.next;
  const known = await o.queries.nextEvents();
  const next = r.resumeToken === "" ? known : readNumbers(r.resumeToken, known);
  yield create(WatchAlertsResponseSchema, { resumeToken: writeNumbers(next) });
  let sentMs = performance.now();
  for (;;) {
    let events: Awaited<ReturnType<Queries["alertEvents"]>>;
    do {
      events = await o.queries.alertEvents(next, EVENTS_AT_ONCE);
      for (const { partition, number, event } of events) {
        signal.throwIfAborted();
        next.set(partition, number + 1);
        const message = fromBinary(AlertEventSchema, event);
        const alert = message.alert!;
        // By what is shown of the sensor now, whatever it was called then.
        const { current } = o.names;
        const shown = current.shownOf(alert.sensorId);
        alert.message = renamedMessage(alert.message, alert.sensorType, alert.sensorId, shown);
        alert.sensorId = shown;
        if (!canAccessSensor(principal, alert.sensorId)) continue;
        if (r.sensorId !== "" && alert.sensorId !== current.shownOf(r.sensorId)) continue;
        if (alert.severity < r.minSeverity || (r.severity !== 0 && alert.severity !== r.severity)) continue;
        deliveredSpan(message);
        yield create(WatchAlertsResponseSchema, { event: message, resumeToken: writeNumbers(next) });
        sentMs = performance.now();
      }
      // What is committed while these are sent is a change since `seen`.
    } while (events.length >= EVENTS_AT_ONCE);
    if (performance.now() - sentMs >= SIGN_OF_LIFE_MS) {
      yield create(WatchAlertsResponseSchema, { resumeToken: writeNumbers(next) });
      sentMs = performance.now();
    }
    await o.alertsChanged.changed(seen, untilSign(sentMs), signal);
    seen = o.alertsChanged.next;
  }
}

/** Milliseconds until a watch that was sent something at that time, and nothing since, is to be sent a sign of life. */
function untilSign(sentMs: number): number {
  return Math.max(0, sentMs + SIGN_OF_LIFE_MS - performance.now());
}

/** Whether what the scorers left out may be readings of this watch. */
function misses(w: WatchReadingsRequest, { ofSensors, ofSelections, ofEverything }: LeftOut): boolean {
  if (w.sensorId !== "") return ofSensors > 0;
  if (w.sensorType !== "" || w.anomaliesOnly) return ofSensors + ofSelections > 0;
  return ofSensors + ofSelections + ofEverything > 0;
}

/** A position, and after a plus how many of the readings behind it are known already. */
function readPosition(token: string): { position: number; skip: number } {
  const match = /^(\d{1,16})(?:\+(\d{1,9}))?$/.exec(token);
  if (match === null) throw badToken(token);
  return { position: Number(match[1]), skip: Number(match[2] ?? 0) };
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
  return invalid("resume_token", `${quoted(token)} is not valid: use resume_token of a response, or leave it empty`);
}
