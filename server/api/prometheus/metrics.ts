/** What of the platform is a metric to Prometheus' clients, and with which labels. */
import type { Points } from "../../store/points.ts";

/** A metric that every sensor has, whatever protocol its readings come by. */
export interface SensorMetric {
  readonly help: string;
  /** NaN: none. */
  readonly value: (points: Points, i: number) => number;
}

export const VALUE: SensorMetric["value"] = (p, i) => p.value[i]!;
/** Scores are stored in steps of 1e-4. */
const STEPS = 10_000;

export const SENSOR_METRICS: ReadonlyMap<string, SensorMetric> = new Map<string, SensorMetric>([
  ["telltale_value", { help: "Measured value, in the unit of the label.", value: VALUE }],
  ["telltale_expected", { help: "Value that the detector expected.", value: (p, i) => p.expected[i]! }],
  ["telltale_lower", { help: "Lower bound of what passes as normal.", value: (p, i) => p.expected[i]! - p.band[i]! }],
  ["telltale_upper", { help: "Upper bound of what passes as normal.", value: (p, i) => p.expected[i]! + p.band[i]! }],
  ["telltale_score", { help: "How far beyond the alarm threshold, 0 to 1.", value: (p, i) => p.score[i]! / STEPS }],
  [
    "telltale_confidence",
    { help: "How certain it is that the reading is not normal, 0 to 1.", value: (p, i) => p.confidence[i]! / STEPS },
  ],
  ["telltale_anomaly", { help: "1 where the reading was judged anomalous, else 0.", value: (p, i) => p.anomaly[i]! }],
]);

/** Attributes of protocols that are no labels. */
const INTERNAL = "__";

/** A name as all of Prometheus' clients take it. */
export function labelName(attribute: string): string {
  const plain = attribute.replace(/[^a-zA-Z0-9_]/g, "_");
  return /^\d/.test(plain) ? `_${plain}` : plain;
}

/** Whether an attribute is shown as a label at all. */
export function isLabel(attribute: string): boolean {
  return !attribute.startsWith(INTERNAL);
}

/** Names of labels that are not attributes, where a sensor is shown by a metric that all have. */
export const OWN_LABELS: ReadonlySet<string> = new Set(["sensor", "type", "unit", "location", "asset"]);

/** The label of an attribute beside those of the sensor itself. */
export function sensorLabelName(attribute: string): string {
  const name = labelName(attribute);
  return OWN_LABELS.has(name) ? `attribute_${name}` : name;
}
