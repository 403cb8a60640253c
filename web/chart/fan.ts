/** A forecast as shapes: intervals around a line, and what a person reads of it. */
import type { ForecastPoint, ForecastResponse, LimitCrossing } from "../../gen/web/telltale/v1/detector_pb.ts";
import { msOf, numberText, timeText, valueText } from "../app/format.ts";

export interface Fan {
  /** Of each interval, the widest first: a polygon's points. */
  readonly intervals: readonly { readonly name: string; readonly points: string }[];
  /** Points of the line of what is expected. */
  readonly line: string;
  readonly low: number;
  readonly high: number;
}

type End = Exclude<keyof ForecastPoint, "time" | "$typeName" | "$unknown" | "expected">;
const INTERVALS: readonly (readonly [name: string, lower: End, upper: End])[] = [
  ["95 %", "lower95", "upper95"],
  ["80 %", "lower80", "upper80"],
  ["50 %", "lower50", "upper50"],
];

/** Undefined where there is nothing to draw. */
export function fanOf({ points }: ForecastResponse, width: number, height: number): Fan | undefined {
  const [first] = points;
  const last = points.at(-1);
  if (first?.time === undefined || last?.time === undefined) return undefined;
  const low = Math.min(...points.map((p) => p.lower95));
  const high = Math.max(...points.map((p) => p.upper95));
  const [fromMs, toMs] = [msOf(first.time), msOf(last.time)];
  const place = (point: ForecastPoint, value: number) => {
    const x = toMs === fromMs ? width / 2 : ((msOf(point.time!) - fromMs) / (toMs - fromMs)) * width;
    const y = high === low ? height / 2 : ((high - value) / (high - low)) * height;
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  };
  const intervals = INTERVALS.map(([name, lower, upper]) => {
    const there = points.map((p) => place(p, p[upper]));
    const back = [...points].reverse().map((p) => place(p, p[lower]));
    return { name, points: [...there, ...back].join(" ") };
  });
  return { intervals, line: points.map((p) => place(p, p.expected)).join(" "), low, high };
}

/** When a limit will be crossed, in a sentence. */
export function crossingText(crossing: LimitCrossing, unit: string, zone: string): string {
  const { setting, limit, probability, earliest, expected } = crossing;
  const side = setting === "range_max" ? "above" : "below";
  const at = (time: typeof earliest) => (time === undefined ? "" : timeText(msOf(time), zone));
  const when = expected === undefined ? `from ${at(earliest)} at the earliest` : `about ${at(expected)}`;
  return `It will be ${side} the limit of ${valueText(limit, unit)} ${when}, with a probability of ${numberText(Math.round(100 * probability))} %.`;
}
