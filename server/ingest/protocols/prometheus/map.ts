/** Series of Prometheus to sensors. The rules are in docs/reference/protocol-mapping.md. */
import { otherUnit } from "../../../../formats/time.ts";
import type { Described, Identities, Identity, Kind, Label } from "../identity.ts";
import { Faults, Points } from "../points.ts";
import { QUANTILES, quantile } from "../quantiles.ts";
import { NO_UNIT, unitCode } from "../units.ts";
import type { NativeHistogram } from "./histogram.ts";
import type { MetricType, WrittenSeries } from "./parse.ts";

const NAME = "__name__";

export interface MappedTo {
  readonly samples: Points;
  readonly histograms: Points;
  /** Samples and histograms whose time is in another unit than milliseconds. */
  readonly otherUnit: { readonly samples: Faults; readonly histograms: Faults };
  /** Histograms that are none. */
  readonly faults: Faults;
}

/** Nothing yet. */
export function mappedToNothing(): MappedTo {
  const otherUnit = { samples: new Faults(), histograms: new Faults() };
  return { samples: new Points(), histograms: new Points(), otherUnit, faults: new Faults() };
}

/** Adds the series' points; answers with how many have no value. */
export function mapSeries(series: WrittenSeries, identities: Identities, to: MappedTo): number {
  const { timesMs, values, key } = series;
  let withoutValue = 0;
  if (values.length > 0) {
    const identity = identities.find(key) ?? identities.add(key, describe(series.labels(), series.type, series.unit));
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      const why = otherUnit(timesMs[i]!, "ms");
      if (why !== undefined) to.otherUnit.samples.add(identity.sensorId, why);
      else if (Number.isNaN(value)) withoutValue++;
      else to.samples.add(identity, timesMs[i]! * 1_000, value);
    }
  }
  for (const histogram of series.histograms) mapHistogram(series, histogram, identities, to);
  return withoutValue;
}

function describe(all: readonly Label[], type: MetricType, unit: string): Described {
  const { name, labels } = named(all);
  const kind = kindOf(name, labels, type);
  const counts = /_(count|bucket)$/.test(name);
  return { name, labels, kind, unit: counts ? NO_UNIT : unitCode(unit) };
}

/** A label without a value is as good as none, says Prometheus. */
function named(all: readonly Label[]): { name: string; labels: Label[] } {
  const name = all.find(([key]) => key === NAME)?.[1] ?? "";
  return { name, labels: all.filter(([key, value]) => key !== NAME && value !== "") };
}

function kindOf(name: string, labels: readonly Label[], type: MetricType): Kind | undefined {
  const has = (key: string) => labels.some(([label]) => label === key);
  if (has("quantile")) return "quantile";
  if (type === "histogram" || type === "summary") return "counter";
  if (type !== undefined) return type;
  return name.endsWith("_total") || (name.endsWith("_bucket") && has("le")) ? "counter" : undefined;
}

function mapHistogram(series: WrittenSeries, histogram: NativeHistogram, identities: Identities, to: MappedTo): void {
  const { timeMs, count, sum } = histogram;
  if (Number.isNaN(sum)) return;
  const why = otherUnit(timeMs, "ms");
  if (why !== undefined) {
    to.otherUnit.histograms.add(named(series.labels()).name, why);
    return;
  }
  const buckets = histogram.buckets();
  const counted = buckets.reduce((total, bucket) => total + bucket.count, 0);
  if (histogram.isWhole && counted !== count) {
    const { name } = named(series.labels());
    to.faults.add(name, `the histogram has a count of ${count}, and its buckets have ${counted}`);
    return;
  }
  const timeUs = timeMs * 1_000;
  const part = (name: string, suffix: string, kind: Kind, label?: Label): Identity => {
    const key = `${name} ${series.key}`;
    const known = identities.find(key);
    if (known !== undefined) return known;
    const { name: metric, labels } = named(series.labels());
    const more = label === undefined ? labels : [...labels.filter(([key]) => key !== label[0]), label];
    const unit = suffix === "_count" ? NO_UNIT : unitCode(series.unit);
    return identities.add(key, { name: `${metric}${suffix}`, labels: more, kind, unit });
  };
  to.histograms.add(part("count", "_count", "counter"), timeUs, count);
  to.histograms.add(part("sum", "_sum", "counter"), timeUs, sum);
  for (const [name, share] of QUANTILES) {
    const value = quantile(share, buckets);
    if (value !== undefined && Number.isFinite(value))
      to.histograms.add(part(`quantile ${name}`, "", "quantile", ["quantile", name]), timeUs, value);
  }
}
