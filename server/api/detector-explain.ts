import type { MessageInitShape } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import {
  type DetectorConfig,
  type DetectorVoteSchema,
  type ExplainReadingRequest,
  SignalKind,
} from "../../gen/es/telltale/v1/detector_pb.ts";
import type { ScoredReading } from "../../gen/es/telltale/v1/reading_pb.ts";
import { EXPLAIN_READINGS, type Explained } from "../backtest/jobs.ts";
import type { BacktestRunner } from "../backtest/runner.ts";
import {
  duration,
  figure,
  instant,
  REASON_DETAILS,
  REASONS,
  type SignalKind as SignalKindName,
  withUnit,
} from "../detect/index.ts";
import { FEATURES, type Feature } from "../detect/kernel/features.ts";
import { WARM_READINGS } from "../detect/kernel/fields.ts";
import { REASON_COLD_START, REASON_HELD, REASON_RANGE, REASON_RATE, REASON_STUCK } from "../detect/reasons.ts";
import { DEFAULT_BUDGET } from "../detect/settings.ts";
import { TelltaleError } from "../errors.ts";
import { enumValue } from "../lib/enum-name.ts";
import { quoted } from "../lib/quoted.ts";
import { toMicros } from "../lib/time.ts";
import { toAlert } from "../scoring/alert.ts";
import { canAccessSensor } from "../security/principal.ts";
import type { Queries } from "../store/queries.ts";
import { calibrationOf } from "./calibration.ts";
import { principalOf } from "./principal.ts";
import { timeOf, toMessages } from "./query.ts";
import { type Origin, originsNote } from "./setting-origins.ts";

type Vote = MessageInitShape<typeof DetectorVoteSchema> & { readonly detector: string; readonly surprise: number };

interface InForce {
  readonly config: DetectorConfig;
  readonly origins: readonly Origin[];
}

interface ExplainOptions {
  readonly queries: Queries;
  readonly runner: BacktestRunner;
  readonly threshold: number;
  /** The settings in force for a sensor, with where each comes from. */
  readonly settingsOf: (sensorId: string, context: HandlerContext) => Promise<InForce>;
}

/** Why a stored reading was flagged, or was not: its sensor's history is judged again up to it, in a thread of its own. */
export function createExplain(o: ExplainOptions) {
  return async ({ sensorId, observedAt }: ExplainReadingRequest, context: HandlerContext) => {
    const principal = principalOf(context);
    const missing = () =>
      new TelltaleError("not_found", `sensor ${quoted(sensorId)} has no reading${observedAt ? " at that time" : ""}`);
    if (!canAccessSensor(principal, sensorId)) throw missing();
    const at = observedAt === undefined ? undefined : timeOf("observed_at", observedAt, 0);
    const anything = { sensorType: undefined, location: undefined, anomaliesOnly: false, after: undefined };
    const { sensorPrefix } = principal;
    const found =
      at === undefined
        ? await o.queries.latest([sensorId], sensorPrefix)
        : await o.queries.readings({ ...anything, sensorId, sensorPrefix, fromUs: at, toUs: at }, 1, 0);
    const [reading] = toMessages(found);
    if (reading === undefined) throw missing();
    const timeUs = found.points.timeUs[found.order[0]!]!;
    const past = await o.queries.alertBefore(sensorId, timeUs - 1);
    const nearest = past === undefined ? {} : { nearestPastAlert: toAlert(past) };
    if (reading.late) {
      const summary = "Not judged: it came late. A newer reading of the sensor was logged before it.";
      return { reading, bar: o.threshold, summary, votes: [], history: "", reproduced: true, ...nearest };
    }
    const job = { kind: "explain", sensorId, id: Number(reading.id), timeUs } as const;
    const [explained, { config, origins }] = await Promise.all([
      o.runner.explain(job, context.signal),
      o.settingsOf(sensorId, context),
    ]);
    const judged = reading.expected !== undefined && !Number.isNaN(explained.threshold);
    const votes = judged ? votesOf(explained, reading) : [];
    return {
      reading,
      bar: o.threshold,
      summary: summarise(reading, o.threshold, explained, votes) + originsNote(decisive(reading, explained), origins),
      votes,
      ...(judged ? { surpriseBar: explained.threshold, surprise: explained.total } : {}),
      young: explained.coldStart,
      signal: signalOf(explained, config),
      ...calibrationOf(explained, config.alarmsPerSensorDay ?? DEFAULT_BUDGET),
      history: historyOf(explained),
      reproduced: explained.reproduced,
      ...nearest,
    };
  };
}

/** Names of the settings without which the verdict might be another one. */
function decisive({ isAnomaly, reason }: ScoredReading, { muted }: Explained): readonly string[] {
  if (muted) return ["off", "direction"];
  return isAnomaly ? (DECISIVE[reason] ?? []) : [];
}

const DECISIVE: Readonly<Record<string, readonly string[]>> = {
  [REASONS[REASON_RANGE]!]: ["range_min", "range_max"],
  [REASONS[REASON_RATE]!]: ["max_rate_per_second"],
  [REASONS[REASON_STUCK]!]: ["stuck_seconds"],
};

/** Everybody who had a say, the loudest first. */
function votesOf(e: Explained, r: ScoredReading): Vote[] {
  const speakers = e.coldStart ? [REASON_COLD_START] : FEATURES.map((feature) => speaker(feature, e));
  const atUs = toMicros(r.observedAt!);
  const votes = speakers.map((k) => vote(k, e.rawScore[k]!, e, atUs));
  // Rules, and a value that stays outside the band of an open incident, speak beside the votes.
  const loudest = Math.max(...votes.map((v) => v.surprise));
  if (!r.isAnomaly || loudest >= e.total || votes.some((v) => v.detector === r.reason && v.surprise >= e.threshold)) {
    return votes.sort(louder);
  }
  const own = vote(REASONS.indexOf(r.reason), e.total, e, atUs);
  return [own, ...votes.filter((v) => v.detector !== r.reason)].sort(louder);
}

/** Reason of a feature: of a sensor of two states, which alone has weights of those, the one of states. */
function speaker({ reason, reasonOfStates }: Feature, { weight }: Explained): number {
  return reasonOfStates !== undefined && weight[reasonOfStates]! > 0 ? reasonOfStates : reason;
}

const louder = (a: Vote, b: Vote) => b.surprise - a.surprise;

function vote(k: number, rawScore: number, { threshold, weight, inStateSinceUs }: Explained, atUs: number): Vote {
  const share = rawScore / threshold;
  const counts = weight[k]!;
  const moved = counts > 0 && counts !== 1 ? ` (counted ${figure(counts)} times, by people's labels)` : "";
  const since =
    k === REASON_HELD && Number.isFinite(inStateSinceUs)
      ? `, since ${instant(inStateSinceUs)} (${duration(atUs - inStateSinceUs)})`
      : "";
  const seen = rawScore > 0 ? `${REASON_DETAILS[k]}${since}: ${percent(share)} of the alarm threshold` : "nothing new";
  return { detector: REASONS[k]!, surprise: rawScore, detail: seen + moved, shareOfBar: share, weight: counts };
}

function summarise(r: ScoredReading, threshold: number, e: Explained, votes: readonly Vote[]): string {
  const { lower, upper } = r;
  const apart = lower === undefined || upper === undefined ? undefined : (upper - lower) / 2;
  const value = withUnit(`value ${figure(r.value, apart)}`, r.unit);
  if (r.expected === undefined) {
    if (e.readings < WARM_READINGS) {
      return `Not judged: it is the sensor's reading ${e.readings + 1}, and judging begins with the ${WARM_READINGS + 1}th.`;
    }
    return `Not judged: a maintenance window covered it (${value}).`;
  }
  const bounds =
    lower === undefined || upper === undefined ? "" : ` (${figure(lower, apart)} to ${figure(upper, apart)})`;
  const facts = `${value}, expected ${figure(r.expected, apart)}${bounds}`;
  return `${verdict(r, threshold, e, votes, facts)}${coldStartNote(e)}`;
}

function verdict(r: ScoredReading, threshold: number, e: Explained, votes: readonly Vote[], facts: string): string {
  const times = e.total / e.threshold;
  if (r.isAnomaly) {
    const over = `${figure(times)} times the alarm threshold`;
    return `Flagged by ${r.reason} with score ${r.anomalyScore.toFixed(4)}: ${facts}; confidence ${r.confidence.toFixed(4)}, ${over}.`;
  }
  const confidence = `confidence ${r.confidence.toFixed(4)} of the required ${threshold}`;
  if (e.muted) {
    return `Not flagged: ${facts}; abnormal, but by its settings the sensor is off, or only the other side matters; ${confidence}.`;
  }
  if (e.wakes) {
    return `Not flagged: ${facts}; abnormal, but the sensor rested at zero and is new: it opens an alert from its second day on, or once it has stayed there for an hour; ${confidence}.`;
  }
  const loudest = votes[0];
  if (loudest === undefined || loudest.surprise === 0) {
    return `Not flagged: ${facts}; no detector saw anything new; ${confidence}.`;
  }
  return `Not flagged: ${facts}; the votes reached ${percent(times)} of the alarm threshold, most of all by ${loudest.detector}; ${confidence}.`;
}

/** In a cold start little is known of a sensor: what is used instead. */
function coldStartNote({ coldStart, prior, coldStartFactor, readings }: Explained): string {
  if (!coldStart) return "";
  const like = prior === undefined || prior === "" ? "sensors in general" : `sensors of the type ${quoted(prior)}`;
  return (
    ` The sensor is in its cold start (reading ${readings + 1}): it is judged by its few readings and by what is usual for ${like}, ` +
    `and its alarm threshold is ${figure(coldStartFactor)} times the later one.`
  );
}

/** What its settings say counts; what is recognised is said beside it. */
function signalOf({ signal: { kind, detail }, judgesRate }: Explained, { signalKind, counter }: DetectorConfig) {
  const recognised = kind === undefined ? SignalKind.UNSPECIFIED : (enumValue(SignalKind, kind) ?? 0);
  const isSet = counter !== undefined || signalKind !== SignalKind.UNSPECIFIED;
  const quantity = quantityOf(kind, judgesRate, isSet);
  if (signalKind !== SignalKind.UNSPECIFIED && signalKind !== recognised) {
    const other = kind === undefined ? "not recognised yet" : `recognised as ${kind}`;
    return { kind: signalKind, set: true, detail: `By its settings; ${other}: ${detail}${quantity}.` };
  }
  const said = `${detail[0]!.toUpperCase()}${detail.slice(1)}${quantity}.`;
  return { kind: recognised, set: signalKind !== SignalKind.UNSPECIFIED, detail: said };
}

/** What is judged of a counter. */
function quantityOf(kind: SignalKindName | undefined, judgesRate: boolean, isSet: boolean): string {
  if (judgesRate) return "; its growth per second is judged";
  if (kind !== "counter") return "";
  return isSet ? "; by its settings its value is judged" : "; its growth per second will be judged after a day of this";
}

function historyOf({ readings, whole, reproduced }: Explained): string {
  const from = whole
    ? `Computed again from ${readings === 1 ? "the one reading" : `all ${readings} readings`} before it`
    : `Computed again from the newest ${readings} readings before it (at most ${EXPLAIN_READINGS}), since the older ones are too many or deleted`;
  const same = reproduced
    ? "the result is bit-identical to the stored score"
    : "the result differs from the stored score, so the votes are only close to the original ones";
  return `${from}; ${same}.`;
}

function percent(share: number): string {
  return share < 0.001 ? "less than 0.1 %" : `${Number((share * 100).toPrecision(3))} %`;
}
