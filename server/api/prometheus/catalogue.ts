/** `series`, `labels`, `label/…/values` and `metadata` of Prometheus' HTTP API: what there is to ask for. */

import { MAX_TIME_US } from "../../../formats/time.ts";
import { METRIC_NAME } from "../../promql/labels.ts";
import { MAX_QUERY_SERIES } from "../../promql/limits.ts";
import { parseSelectors } from "../../promql/parse.ts";
import { NAME_NUMBERS } from "../../registry/facts.ts";
import type { Fleet } from "../../registry/fleet.ts";
import type { Registry } from "../../registry/registry.ts";
import { isLabel, labelName, SENSOR_METRICS, sensorLabelName } from "./metrics.ts";
import { limitOf, required, timeOf } from "./parameters.ts";
import { metricOf } from "./queries.ts";
import { rangeOf } from "./samples.ts";
import type { FoundSeries, Range, SeriesFinder } from "./select.ts";

/** Of an answer that names none. */
const MAX_ITEMS = 10_000;

export interface CatalogueContext {
  readonly parameters: URLSearchParams;
  readonly registry: Pick<Registry, "visit">;
  readonly finder: SeriesFinder;
  readonly sensorPrefix: string;
}

export interface Listed<T> {
  readonly data: T;
  readonly warnings?: readonly string[];
}

const CUT = "results truncated due to limit";

function listed<T>(items: readonly T[], limit: number): Listed<readonly T[]> {
  return items.length > limit ? { data: items.slice(0, limit), warnings: [CUT] } : { data: items };
}

export async function seriesList(context: CatalogueContext): Promise<Listed<readonly Record<string, string>[]>> {
  required(context.parameters, "match[]");
  const limit = limitOf(context.parameters, MAX_ITEMS);
  const { found, isCut } = await matching(context, limit);
  const data = found.map(({ labels }) => metricOf(labels));
  return isCut ? { data: data.slice(0, limit), warnings: [CUT] } : listed(data, limit);
}

export async function labelNames(context: CatalogueContext): Promise<Listed<readonly string[]>> {
  const names = new Set<string>();
  const limit = limitOf(context.parameters, MAX_ITEMS);
  if (context.parameters.has("match[]")) {
    const { found, isCut } = await matching(context, MAX_QUERY_SERIES);
    for (const { labels } of found) for (const [name] of labels.entries) names.add(name);
    return withWarning(listed([...names].sort(), limit), isCut);
  }
  await visit(context, (fleet) => {
    const numbers = new Set<number>();
    return {
      each: (slot) => {
        if (numbers.size === 0) for (const name of [METRIC_NAME, "sensor", "type", "unit"]) names.add(name);
        const list = fleet.seriesLists[fleet.seriesList[slot]!]!;
        if (!names.has("location") && list.some((fact) => fleet.facts.names[fact] === NAME_NUMBERS.location))
          names.add("location");
        if (fleet.asset[slot]! >= 0) names.add("asset");
        for (const [name] of fleet.attributesOf(slot)) {
          const number = fleet.facts.attributeName(name)!;
          if (numbers.has(number) || !isLabel(name)) continue;
          numbers.add(number);
          names.add(labelName(name)).add(sensorLabelName(name));
        }
      },
    };
  });
  return listed([...names].sort(), limit);
}

export async function labelValues(context: CatalogueContext, label: string): Promise<Listed<readonly string[]>> {
  const values = new Set<string>();
  const limit = limitOf(context.parameters, MAX_ITEMS);
  if (context.parameters.has("match[]")) {
    const { found, isCut } = await matching(context, MAX_QUERY_SERIES);
    for (const { labels } of found) if (labels.get(label) !== "") values.add(labels.get(label));
    return withWarning(listed([...values].sort(), limit), isCut);
  }
  await visit(context, (fleet) => ({ each: (slot) => valuesOf(fleet, slot, label, (value) => values.add(value)) }));
  return listed([...values].sort(), limit);
}

/** By label, the number of its facts of series. */
const SERIES_FACTS: Readonly<Record<string, number>> = {
  type: NAME_NUMBERS.sensor_type,
  unit: NAME_NUMBERS.unit,
  location: NAME_NUMBERS.location,
};

function valuesOf(fleet: Fleet, slot: number, label: string, add: (value: string) => void): void {
  const { facts } = fleet;
  const attributes = fleet.attributesOf(slot);
  if (label === METRIC_NAME) {
    for (const name of SENSOR_METRICS.keys()) add(name);
    for (const [name, value] of attributes) if (name === METRIC_NAME && value !== "") add(value);
    return;
  }
  if (label === "sensor") add(fleet.ids[slot]!);
  if (label === "asset" && fleet.asset[slot]! >= 0) add(facts.values[fleet.asset[slot]!]!);
  const number = SERIES_FACTS[label];
  if (number !== undefined)
    for (const fact of fleet.seriesLists[fleet.seriesList[slot]!]!)
      if (facts.names[fact] === number) add(facts.values[fact]!);
  const isSent = attributes.some(([name]) => name === METRIC_NAME);
  for (const [name, value] of attributes) {
    if (!isLabel(name) || value === "") continue;
    if (sensorLabelName(name) === label || (isSent && labelName(name) === label)) add(value);
  }
}

interface Metadata {
  readonly type: string;
  readonly help: string;
  readonly unit: string;
}

/** Kinds that protocols name, as Prometheus calls them. */
const TYPES: Readonly<Record<string, string>> = {
  counter: "counter",
  gauge: "gauge",
  delta: "gauge",
  quantile: "summary",
};

export async function metadata(context: CatalogueContext): Promise<Listed<Record<string, readonly Metadata[]>>> {
  const { parameters } = context;
  const [wanted, limit] = [parameters.get("metric") ?? "", limitOf(parameters, MAX_ITEMS)];
  const found = new Map<string, Metadata>();
  for (const [name, { help }] of SENSOR_METRICS) found.set(name, { type: "gauge", help, unit: "" });
  await visit(context, (fleet) => ({
    each: (slot) => {
      const attributes = new Map(fleet.attributesOf(slot));
      const name = attributes.get(METRIC_NAME);
      if (name === undefined || found.has(name)) return;
      found.set(name, { type: TYPES[attributes.get("__kind__") ?? ""] ?? "unknown", help: "", unit: "" });
    },
  }));
  const all = [...found].filter(([name]) => wanted === "" || name === wanted).slice(0, limit);
  return { data: Object.fromEntries(all.map(([name, each]) => [name, [each]])) };
}

/** Series that any of the selectors chooses, each once. */
async function matching(
  { parameters, finder }: CatalogueContext,
  limit: number,
): Promise<{ found: FoundSeries[]; isCut: boolean }> {
  const range = rangeFor(parameters);
  const byKey = new Map<string, FoundSeries>();
  let isCut = false;
  for (const matchers of parseSelectors(parameters.getAll("match[]"))) {
    const selection = await finder.find(matchers, range, limit);
    for (const series of selection.found) byKey.set(series.labels.key, series);
    isCut ||= selection.isCut;
  }
  return { found: [...byKey.values()], isCut };
}

/** Open at the ends that are not given. */
function rangeFor(parameters: URLSearchParams): Range {
  const [start, end] = [parameters.get("start") ?? "", parameters.get("end") ?? ""];
  const fromMs = start === "" ? 0 : timeOf("start", start);
  const toMs = end === "" ? MAX_TIME_US / 1_000 : timeOf("end", end);
  return rangeOf(fromMs - 1, toMs);
}

function withWarning<T>(answer: Listed<T>, isCut: boolean): Listed<T> {
  return isCut ? { ...answer, warnings: [CUT] } : answer;
}

function visit(
  { registry, sensorPrefix }: CatalogueContext,
  look: (fleet: Fleet) => { readonly each: (slot: number) => void },
): Promise<void> {
  return registry.visit(sensorPrefix, (fleet) => {
    const { each } = look(fleet);
    return {
      tests: [],
      visit: (slot) => {
        each(slot);
        return true;
      },
    };
  });
}
