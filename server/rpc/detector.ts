import type { ServiceImpl } from "@connectrpc/connect";
import type { DetectorService } from "../../gen/es/telltale/v1/detector_pb.ts";
import type { ScoredReading } from "../../gen/es/telltale/v1/reading_pb.ts";
import { TelltaleError } from "../errors.ts";
import { shown } from "../ingest/check.ts";
import { toAlert } from "../pipeline/alert.ts";
import type { Queries } from "../store/queries.ts";
import { maySee, principalOf } from "./principal.ts";
import { timeOf, toMessages } from "./query.ts";

export interface DetectorOptions {
  readonly queries: Queries;
  /** Confidence from which a reading counts as anomalous, 0 to 1. */
  readonly threshold: number;
}

/** Methods that are not here answer UNIMPLEMENTED. */
export function createDetectorService(o: DetectorOptions): Partial<ServiceImpl<typeof DetectorService>> {
  return {
    async explainReading({ sensorId, observedAt }, context) {
      const principal = principalOf(context);
      const missing = () =>
        new TelltaleError("not_found", `sensor ${shown(sensorId)} has no reading${observedAt ? " at that time" : ""}`);
      if (!maySee(principal, sensorId)) throw missing();
      const at = observedAt === undefined ? undefined : timeOf("observed_at", observedAt, 0);
      const found =
        at === undefined
          ? await o.queries.latest([sensorId], principal.sensorPrefix)
          : await o.queries.readings(
              {
                sensorId,
                sensorPrefix: principal.sensorPrefix,
                sensorType: undefined,
                location: undefined,
                fromUs: at,
                toUs: at,
                anomaliesOnly: false,
                after: undefined,
              },
              1,
              0,
            );
      const [reading] = toMessages(found);
      if (reading === undefined) throw missing();
      const time = found.points.timeUs[found.order[0]!]!;
      const past = await o.queries.alertBefore(sensorId, time - 1);
      return {
        reading,
        bar: o.threshold,
        summary: summarise(reading, o.threshold),
        votes: [],
        ...(past === undefined ? {} : { nearestPastAlert: toAlert(past) }),
      };
    },
  };
}

function summarise(r: ScoredReading, bar: number): string {
  if (r.late) return "Not judged: a newer reading of the sensor was logged before it.";
  if (r.expected === undefined) return "Not flagged: the sensor was too young to be judged.";
  const range =
    r.lower === undefined || r.upper === undefined ? "" : ` (${r.lower.toPrecision(6)} to ${r.upper.toPrecision(6)})`;
  const facts = `value ${r.value} ${r.unit}, expected ${r.expected.toPrecision(6)}${range}, confidence ${r.confidence.toFixed(4)}`;
  if (r.isAnomaly) return `Flagged by ${r.reason} with score ${r.anomalyScore.toFixed(4)}: ${facts}, bar ${bar}.`;
  return `Not flagged: ${facts} did not reach the bar ${bar}.`;
}
