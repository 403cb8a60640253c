import type { MessageInitShape } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import type { DetectorVoteSchema, ExplainReadingRequest } from "../../gen/es/telltale/v1/detector_pb.ts";
import type { ScoredReading } from "../../gen/es/telltale/v1/reading_pb.ts";
import { EXPLAIN_READINGS, type Explained } from "../backtest/jobs.ts";
import type { BacktestRunner } from "../backtest/runner.ts";
import { figure, REASON_DETAILS, REASONS } from "../detect/index.ts";
import { WARM_READINGS } from "../detect/judge.ts";
import { FEATURE_REASONS, REASON_YOUNG } from "../detect/reasons.ts";
import { TelltaleError } from "../errors.ts";
import { shown } from "../ingest/check.ts";
import { toAlert } from "../pipeline/alert.ts";
import type { Queries } from "../store/queries.ts";
import { maySee, principalOf } from "./principal.ts";
import { timeOf, toMessages } from "./query.ts";

type Vote = MessageInitShape<typeof DetectorVoteSchema> & { readonly detector: string; readonly surprise: number };

/** Why a stored reading was flagged, or was not: its sensor's history is judged again up to it, in a thread of its own. */
export function createExplain(o: { queries: Queries; runner: BacktestRunner; threshold: number }) {
  return async ({ sensorId, observedAt }: ExplainReadingRequest, context: HandlerContext) => {
    const principal = principalOf(context);
    const missing = () =>
      new TelltaleError("not_found", `sensor ${shown(sensorId)} has no reading${observedAt ? " at that time" : ""}`);
    if (!maySee(principal, sensorId)) throw missing();
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
    const explained = await o.runner.explain(job, context.signal);
    const judged = reading.expected !== undefined && !Number.isNaN(explained.bar);
    const votes = judged ? votesOf(explained, reading) : [];
    return {
      reading,
      bar: o.threshold,
      summary: summarise(reading, o.threshold, explained, votes),
      votes,
      ...(judged ? { surpriseBar: explained.bar, surprise: explained.total } : {}),
      young: explained.young,
      history: historyOf(explained),
      reproduced: explained.reproduced,
      ...nearest,
    };
  };
}

/** Everybody who had a say, the loudest first. */
function votesOf(e: Explained, r: ScoredReading): Vote[] {
  const speakers = e.young ? [REASON_YOUNG] : FEATURE_REASONS;
  const votes = speakers.map((k) => vote(k, e.surprise[k]!, e));
  // Rules, and a value that stays outside the band of an open incident, speak beside the votes.
  const loudest = Math.max(...votes.map((v) => v.surprise));
  if (!r.isAnomaly || loudest >= e.total || votes.some((v) => v.detector === r.reason && v.surprise >= e.bar)) {
    return votes.sort(louder);
  }
  const own = vote(REASONS.indexOf(r.reason), e.total, e);
  return [own, ...votes.filter((v) => v.detector !== r.reason)].sort(louder);
}

const louder = (a: Vote, b: Vote) => b.surprise - a.surprise;

function vote(k: number, surprise: number, { bar, weight }: Explained): Vote {
  const share = surprise / bar;
  const counts = weight[k]!;
  const moved = counts > 0 && counts !== 1 ? ` (counted ${figure(counts)} times, by people's labels)` : "";
  const seen =
    surprise > 0
      ? `${REASON_DETAILS[k]}: ${percent(share)} of what an alarm took`
      : "nothing that it had not seen before";
  return { detector: REASONS[k]!, surprise, detail: seen + moved, shareOfBar: share, weight: counts };
}

function summarise(r: ScoredReading, threshold: number, e: Explained, votes: readonly Vote[]): string {
  const value = `value ${figure(r.value)}${r.unit === "" ? "" : ` ${r.unit}`}`;
  if (r.expected === undefined) {
    if (e.readings < WARM_READINGS) {
      return `Not judged: it is the sensor's reading ${e.readings + 1}, and judging begins with the ${WARM_READINGS + 1}th.`;
    }
    return `Not judged: a maintenance window covered it (${value}).`;
  }
  const bounds = r.lower === undefined || r.upper === undefined ? "" : ` (${figure(r.lower)} to ${figure(r.upper)})`;
  const facts = `${value}, expected ${figure(r.expected)}${bounds}`;
  return `${verdict(r, threshold, e, votes, facts)}${youth(e)}`;
}

function verdict(r: ScoredReading, threshold: number, e: Explained, votes: readonly Vote[], facts: string): string {
  const times = e.total / e.bar;
  if (r.isAnomaly) {
    const over = `${figure(times)} times what an alarm took`;
    return `Flagged by ${r.reason} with score ${r.anomalyScore.toFixed(4)}: ${facts}; confidence ${r.confidence.toFixed(4)}, ${over}.`;
  }
  const confidence = `confidence ${r.confidence.toFixed(4)} of the ${threshold} that it takes`;
  const loudest = votes[0];
  if (loudest === undefined || loudest.surprise === 0) {
    return `Not flagged: ${facts}; no detector saw anything new; ${confidence}.`;
  }
  return `Not flagged: ${facts}; it came to ${percent(times)} of what an alarm took, most of all by ${loudest.detector}; ${confidence}.`;
}

/** Little is known of a young sensor: what is taken instead. */
function youth({ young, prior, coldness, readings }: Explained): string {
  if (!young) return "";
  const like = prior === undefined || prior === "" ? "sensors in general" : `sensors of the type ${shown(prior)}`;
  return (
    ` The sensor is young (reading ${readings + 1}): it is judged by its few readings and by what is usual for ${like}, ` +
    `and an alarm takes ${figure(coldness)} times what it takes later.`
  );
}

function historyOf({ readings, whole, reproduced }: Explained): string {
  const from = whole
    ? `Computed again from all ${readings} readings before it`
    : `Computed again from the newest ${readings} readings before it (at most ${EXPLAIN_READINGS}), since the older ones are too many or deleted`;
  const same = reproduced
    ? "the stored score came out to the bit"
    : "the stored score came out otherwise, so that the votes are near those of then";
  return `${from}; ${same}.`;
}

function percent(share: number): string {
  return share < 0.001 ? "less than 0.1 %" : `${Number((share * 100).toPrecision(3))} %`;
}
