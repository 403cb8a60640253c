/** Sensors as series of Prometheus: which there are, and with which labels. */
import { type Matcher, matcherTest } from "../../../formats/matchers.ts";
import { type LabelEntry, Labels, METRIC_NAME } from "../../promql/labels.ts";
import { attributeFilter, matcherFilter, type SensorTest } from "../../registry/filter.ts";
import type { Fleet } from "../../registry/fleet.ts";
import type { Registry } from "../../registry/registry.ts";
import type { Queries } from "../../store/queries.ts";
import type { SeriesSpan } from "../../store/series.ts";
import { isLabel, labelName, SENSOR_METRICS, type SensorMetric, sensorLabelName, VALUE } from "./metrics.ts";

/** A sensor that a selector may choose. */
interface Candidate {
  readonly sensorId: string;
  readonly asset: string;
  readonly attributes: readonly LabelEntry[];
}

export interface FoundSeries {
  readonly labels: Labels;
  /** Numbers of the stored series that it is put together from. */
  readonly series: readonly number[];
  readonly value: SensorMetric["value"];
}

export interface Range {
  /** Inclusive. */
  readonly fromUs: number;
  /** Exclusive. */
  readonly toUs: number;
}

export interface Selection {
  readonly found: readonly FoundSeries[];
  /** Whether there are more than was asked for. */
  readonly isCut: boolean;
}

/** Matchers of names and of labels apart, each with its test of a whole value. */
interface Tests {
  readonly isName: (name: string) => boolean;
  readonly labels: readonly Matcher[];
  readonly fits: (labels: Labels) => boolean;
}

/** Sensors whose series are looked up at once. */
const CHUNK = 1_000;

export class SeriesFinder {
  readonly #registry: Pick<Registry, "visit">;
  readonly #queries: Pick<Queries, "seriesWithin">;
  readonly #sensorPrefix: string;

  /** @param sensorPrefix what the ids of the caller's sensors begin with */
  constructor(registry: Pick<Registry, "visit">, queries: Pick<Queries, "seriesWithin">, sensorPrefix: string) {
    this.#registry = registry;
    this.#queries = queries;
    this.#sensorPrefix = sensorPrefix;
  }

  /** Series with readings within the range that match, at most so many. */
  async find(matchers: readonly Matcher[], range: Range, limit: number): Promise<Selection> {
    const tests = testsOf(matchers);
    const found: FoundSeries[] = [];
    const metrics = [...SENSOR_METRICS].filter(([name]) => tests.isName(name));
    for (const family of [sentFamily(tests), metrics.length > 0 ? sensorFamily(tests, metrics) : undefined]) {
      if (family === undefined) continue;
      const candidates = await this.#candidates(family.filters);
      for (let i = 0; i < candidates.length; i += CHUNK) {
        const chunk = candidates.slice(i, i + CHUNK);
        const spans = await this.#queries.seriesWithin(
          chunk.map(({ sensorId }) => sensorId),
          range,
        );
        const bySensor = Map.groupBy(spans, ({ sensorId }) => sensorId);
        for (const candidate of chunk) {
          const own = bySensor.get(candidate.sensorId);
          if (own !== undefined) found.push(...family.seriesOf(candidate, own));
        }
        if (found.length > limit) return { found: found.slice(0, limit), isCut: true };
      }
    }
    return { found, isCut: false };
  }

  async #candidates(filters: (fleet: Fleet) => SensorTest[]): Promise<Candidate[]> {
    const candidates: Candidate[] = [];
    await this.#registry.visit(this.#sensorPrefix, (fleet) => ({
      tests: filters(fleet),
      visit: (slot) => {
        const asset = fleet.asset[slot]!;
        candidates.push({
          sensorId: fleet.ids[slot]!,
          asset: asset < 0 ? "" : fleet.facts.values[asset]!,
          attributes: fleet.attributesOf(slot),
        });
        return true;
      },
    }));
    return candidates;
  }
}

function testsOf(matchers: readonly Matcher[]): Tests {
  const tests = matchers.map((matcher) => ({ name: matcher.name, test: matcherTest(matcher) }));
  const passes = (value: string, test: (values: readonly string[]) => boolean) => test(value === "" ? [] : [value]);
  const ofName = tests.filter(({ name }) => name === METRIC_NAME);
  return {
    isName: (name) => ofName.every(({ test }) => passes(name, test)),
    labels: matchers.filter(({ name }) => name !== METRIC_NAME),
    fits: (labels) => tests.every(({ name, test }) => passes(labels.get(name), test)),
  };
}

/** A kind of series: which sensors may have some, and what they are. */
interface Family {
  readonly filters: (fleet: Fleet) => SensorTest[];
  readonly seriesOf: (candidate: Candidate, spans: readonly SeriesSpan[]) => FoundSeries[];
}

/** Metrics with the name and labels that they were sent with, by Prometheus and others. */
function sentFamily({ isName, labels, fits }: Tests): Family {
  return {
    filters: (fleet) => [
      namedFilter(fleet, isName),
      ...labels.flatMap((matcher) => attributeTests(fleet, matcher, labelName)),
    ],
    seriesOf: ({ attributes }, spans) => {
      const own = sentLabels(attributes);
      return fits(own) ? [{ labels: own, series: spans.map(({ id }) => id), value: VALUE }] : [];
    },
  };
}

function namedFilter(fleet: Fleet, isName: (name: string) => boolean): SensorTest {
  const number = fleet.facts.attributeName(METRIC_NAME);
  if (number === undefined) return () => false;
  const wanted = new Set(fleet.facts.ofName(number).filter((fact) => isName(fleet.facts.values[fact]!)));
  return (slot) => {
    const from = fleet.knownFrom[slot]!;
    for (let i = from; i < from + fleet.knownCount[slot]!; i++) if (wanted.has(fleet.known[i]!)) return true;
    return false;
  };
}

/** A test by the attribute that a label is made from; none where several may be, which the labels decide. */
function attributeTests(fleet: Fleet, matcher: Matcher, nameOf: (attribute: string) => string): SensorTest[] {
  const names = [...fleet.facts.attributeNames()].filter((name) => isLabel(name) && nameOf(name) === matcher.name);
  if (names.length > 1) return [];
  return [attributeFilter(fleet, { ...matcher, name: names[0] ?? "" })];
}

/** Metrics that all sensors have. */
function sensorFamily({ labels, fits }: Tests, metrics: readonly (readonly [string, SensorMetric])[]): Family {
  return {
    filters: (fleet) => labels.flatMap((matcher) => sensorTests(fleet, matcher)),
    seriesOf: (candidate, spans) => {
      const places = Map.groupBy(spans, ({ sensorType, unit, location }) =>
        JSON.stringify([sensorType, unit, location]),
      );
      return [...places.values()].flatMap((alike) => {
        const own = sensorLabels(candidate, alike[0]!);
        return metrics.flatMap(([name, { value }]) => {
          const named = own.with(METRIC_NAME, name);
          return fits(named) ? [{ labels: named, series: alike.map(({ id }) => id), value }] : [];
        });
      });
    },
  };
}

/** By name of the label, the registry's. */
const OF_THE_SENSOR: ReadonlyMap<string, string> = new Map([
  ["sensor", "sensor_id"],
  ["type", "sensor_type"],
  ["unit", "unit"],
  ["location", "location"],
  ["asset", "asset"],
]);
/** Of these a sensor may have several: whether it has another one says nothing of a series. */
const OF_A_SERIES: ReadonlySet<string> = new Set(["type", "unit", "location"]);

function sensorTests(fleet: Fleet, matcher: Matcher): SensorTest[] {
  const name = OF_THE_SENSOR.get(matcher.name);
  if (name === undefined) return attributeTests(fleet, matcher, sensorLabelName);
  const excludes = matcher.operator === "!=" || matcher.operator === "!~";
  const mayBeEmpty = matcherTest(matcher)([]);
  if (OF_A_SERIES.has(matcher.name) && (excludes || mayBeEmpty)) return [];
  // The state of sensors, which depends on the time, has no label.
  return [matcherFilter(fleet, { ...matcher, name }, 0)];
}

export function sentLabels(attributes: readonly LabelEntry[]): Labels {
  const name = attributes.find(([key]) => key === METRIC_NAME);
  return Labels.of([...joined(attributes, labelName), ...(name === undefined ? [] : [name])]);
}

function sensorLabels({ sensorId, asset, attributes }: Candidate, { sensorType, unit, location }: SeriesSpan): Labels {
  return Labels.of([
    ...joined(attributes, sensorLabelName),
    ["sensor", sensorId],
    ["type", sensorType],
    ["unit", unit],
    ["location", location ?? ""],
    ["asset", asset],
  ]);
}

/** Values of attributes that come to the same label stand behind each other, as in OpenTelemetry's mapping to Prometheus. */
function joined(attributes: readonly LabelEntry[], nameOf: (attribute: string) => string): LabelEntry[] {
  const byLabel = new Map<string, string>();
  for (const [attribute, value] of [...attributes].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!isLabel(attribute)) continue;
    const name = nameOf(attribute);
    const before = byLabel.get(name);
    byLabel.set(name, before === undefined ? value : `${before};${value}`);
  }
  return [...byLabel];
}
