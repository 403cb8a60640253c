/** Series of Prometheus to sensors. The rules are in docs/reference/protocol-mapping.md. */
import type { Described, Identities, Identity, Kind, Label } from "../identity.ts";
import type { Points } from "../points.ts";
import { QUANTILES, quantile } from "../quantiles.ts";
import { NO_UNIT, unitCode } from "../units.ts";
import type { NativeHistogram } from "./histogram.ts";
import type { MetricType, WrittenSeries } from "./parse.ts";

const NAME = "__name__";

/** Adds the series' points; answers with how many have no value. @param histograms for those of histograms */
export function mapSeries(
  series: WrittenSeries,
  identities: Identities,
  to: { readonly samples: Points; readonly histograms: Points },
): number {
  const { timesMs, values, key } = series;
  let withoutValue = 0;
  if (values.length > 0) {
    const identity = identities.find(key) ?? identities.add(key, describe(series.labels(), series.type, series.unit));
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      if (Number.isNaN(value)) withoutValue++;
      else to.samples.add(identity, timesMs[i]! * 1_000, value);
    }
  }
  for (const histogram of series.histograms) mapHistogram(series, histogram, identities, to.histograms);
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

function mapHistogram(series: WrittenSeries, histogram: NativeHistogram, identities: Identities, to: Points): void {
  const { timeMs, count, sum } = histogram;
  if (Number.isNaN(sum)) return;
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
  to.add(part("count", "_count", "counter"), timeUs, count);
  to.add(part("sum", "_sum", "counter"), timeUs, sum);
  const buckets = histogram.buckets();
  for (const [name, share] of QUANTILES) {
    const value = quantile(share, buckets);
    if (value !== undefined && Number.isFinite(value))
      to.add(part(`quantile ${name}`, "", "quantile", ["quantile", name]), timeUs, value);
  }
}
