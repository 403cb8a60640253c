/** Samples that a real Prometheus is asked about too, and answers of both that can be compared. */
import { expect } from "vitest";
import { labels1, type WriteBody, writeRequest1 } from "./remote-write.ts";

/** So that no sample lies at an end of a range, nor a step of a subquery: versions of Prometheus differ in whether they count. */
const OFF_MS = 7_300;
const SAMPLES = 200;
const EVERY_MS = 15_000;
export const START_MS = Math.floor(Date.now() / 60_000) * 60_000 - 55 * 60_000;
export const END_MS = START_MS + SAMPLES * EVERY_MS;

type Value = (i: number) => number | undefined;

/** The same numbers in every run. */
const wave = (i: number, period: number, shift: number) => Math.round(1e3 * Math.sin((i + shift) / period)) / 1e3;

export const SERIES: readonly (readonly [name: string, labels: Record<string, string>, value: Value])[] = [
  ...["a", "b", "c"].flatMap((instance, n) =>
    ["node", "db"].flatMap((job, m) => {
      const labels = { instance, job };
      const shift = 7 * n + 3 * m;
      return [
        ["temp_celsius", labels, (i: number) => 20 + 5 * wave(i, 9, shift)],
        // With a gap longer than the lookback.
        ["gaps", labels, (i: number) => (i % 80 > 50 ? undefined : wave(i, 4, shift))],
        // Starts again from zero.
        [
          "requests_total",
          { ...labels, code: n === 0 ? "500" : "200" },
          (i: number) => ((i + shift) % 70) * (3 + n) + m,
        ],
        ["up", labels, (i: number) => (i % 40 < 3 + n ? 0 : 1)],
        ["limit_celsius", { job, instance }, () => 22 + n],
      ] as const;
    }),
  ),
  ...["1", "2"].map(
    (version) => ["build_info", { job: version === "1" ? "node" : "db", version, owner: "x.y" }, () => 1] as const,
  ),
  ...["0.1", "0.5", "1", "+Inf"].flatMap((le, n) =>
    ["a", "b"].map(
      (instance, m) => ["latency_bucket", { le, instance }, (i: number) => i * (n + 1) * (m + 2)] as const,
    ),
  ),
  ["constant", {}, () => 7],
  ["small", {}, (i) => 1e-9 * (i + 1)],
  ["large", {}, (i) => 1e22 * (i + 1)],
  ["growing", {}, (i) => 3 * i + wave(i, 5, 0)],
];

/** All samples as a request of remote_write. */
export function promqlSamples(): WriteBody {
  const timeseries = SERIES.map(([name, labels, value]) => ({
    labels: labels1(Object.fromEntries(Object.entries({ __name__: name, ...labels }).sort())),
    samples: samplesOf(value).map(([timeMs, number]) => ({ timestamp: BigInt(timeMs), value: number })),
  }));
  return writeRequest1({ timeseries });
}

/** Times in milliseconds since 1970, with values. */
export function samplesOf(value: Value): (readonly [timeMs: number, value: number])[] {
  return Array.from({ length: SAMPLES }, (_, i) => i).flatMap((i) => {
    const number = value(i);
    return number === undefined ? [] : [[START_MS + OFF_MS + i * EVERY_MS, number] as const];
  });
}

export interface Answer {
  readonly status: string;
  readonly errorType?: string;
  readonly error?: string;
  readonly data: { readonly resultType: string; readonly result: unknown };
}

type Sample = readonly [seconds: number, value: string];
interface Series {
  readonly metric: Record<string, string>;
  readonly value?: Sample;
  readonly values?: readonly Sample[];
}

/** Series by their labels, in the order of the answer where the query asks for one. */
export function comparable({ data: { resultType, result } }: Answer, query: string) {
  if (resultType === "scalar" || resultType === "string") return { resultType, result };
  const key = (metric: Record<string, string>) => JSON.stringify(Object.entries(metric).sort());
  const series = (result as Series[]).map(({ metric, value, values }) => [key(metric), values ?? [value!]] as const);
  const isOrdered = /^(sort|topk|bottomk)/.test(query) && resultType === "vector";
  return { resultType, result: isOrdered ? series : [...series].sort(([a], [b]) => (a < b ? -1 : 1)) };
}

/** The same but for rounding: sums are made in another order. */
export function nearly(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(nearly);
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, nearly(each)]));
  if (typeof value !== "string" || !/^[+-]?(\d|Inf|NaN)/.test(value)) return value;
  return expect.toSatisfy(
    (other: string) => isNear(Number(other.replace("Inf", "Infinity")), Number(value.replace("Inf", "Infinity"))),
    value,
  );
}

function isNear(a: number, b: number): boolean {
  if (Object.is(a, b) || a === b) return true;
  return Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b)) || Math.abs(a - b) < 1e-12;
}
