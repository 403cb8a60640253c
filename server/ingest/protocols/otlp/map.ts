/** Metrics of OpenTelemetry to sensors. The rules are in docs/reference/protocol-mapping.md. */
import { otherUnit } from "../../../../formats/time.ts";
import { type Described, Identities, type Identity, type Kind, type Label } from "../identity.ts";
import { tooMany } from "../limits.ts";
import type { Points } from "../points.ts";
import { QUANTILES, quantile } from "../quantiles.ts";
import { NO_UNIT } from "../units.ts";
import { labelsOf } from "./attributes.ts";
import { DELTA, type Distribution, type Metric, type NumberPoint } from "./parse.ts";

/** Attributes of a resource that change with each start or version of what sends, and would make each time another sensor. */
const PASSING =
  /^(process|telemetry|os|webengine|container\.image|host\.image|host\.cpu)\.|^(service\.version|container\.id|host\.(arch|ip|mac|type)|k8s\.pod\.(uid|start_time|ip)|k8s\.container\.restart_count|faas\.(version|instance))$/;

/** Points that become no reading. */
export interface NotMapped {
  noRecordedValue: number;
  nan: number;
  /** Of points without a time, which the specification does not allow. */
  timeless: number;
  /** Of points whose time is in another unit than nanoseconds. */
  otherUnit: number;
  /** What is said of the first of them. */
  example: string;
}

/** Sensors of what senders call metrics, kept between requests. */
export class OtlpMapper {
  readonly #identities = new Identities();
  /** Short names of what resource, scope and metric are called, of which there are few for many points. */
  #names = new Map<string, number>();
  #lastName = 0;
  #described = 0;

  /** @throws HttpRefusal past the most of a request */
  map(metrics: readonly Metric[], to: Points): NotMapped {
    const not: NotMapped = { noRecordedValue: 0, nan: 0, timeless: 0, otherUnit: 0, example: "" };
    this.#described = 0;
    for (const metric of metrics) {
      if (metric.numbers.length > 0) this.#mapNumbers(metric, to, not);
      for (const point of metric.distributions) this.#mapDistribution(metric, point, to, not);
    }
    return not;
  }

  #mapNumbers(metric: Metric, to: Points, not: NotMapped): void {
    const kind = metric.type === "gauge" || !metric.monotonic ? gaugeOrDelta(metric) : grows(metric);
    const part = this.#part(metric, { suffix: "", kind, unit: metric.unit });
    for (const point of metric.numbers) {
      if (isReading(point, not)) to.add(part(point), point.timeUs, point.value);
    }
  }

  #mapDistribution(metric: Metric, point: Distribution, to: Points, not: NotMapped): void {
    if (!isReading(point, not)) return;
    const { unit } = metric;
    const kind = metric.type === "summary" ? "counter" : grows(metric);
    const add = (about: Part, value: number | undefined, label?: Label) => {
      if (value === undefined) return;
      if (Number.isNaN(value)) not.nan++;
      else to.add(this.#part(metric, about, label)(point), point.timeUs, value);
    };
    add({ suffix: "_count", kind, unit: NO_UNIT }, point.count);
    add({ suffix: "_sum", kind, unit }, point.sum);
    add({ suffix: "_min", kind: "gauge", unit }, point.min);
    add({ suffix: "_max", kind: "gauge", unit }, point.max);
    for (const [share, value] of point.quantiles)
      add({ suffix: "", kind: "quantile", unit }, value, ["quantile", String(share)]);
    if (metric.type === "summary") return;
    const buckets = point.buckets();
    for (const [name, share] of QUANTILES) {
      const value = quantile(share, buckets);
      if (value !== undefined && Number.isFinite(value))
        add({ suffix: "", kind: "quantile", unit }, value, ["quantile", name]);
    }
  }

  #part(metric: Metric, about: Part, label?: Label): (point: { readonly attributes: string }) => Identity {
    const { resource, scope, name, unit } = metric;
    const texts = [resource, scope, name, unit, about.suffix, about.kind, label?.[1] ?? ""];
    // Not put together: they may be as long as the request, and asked for with each of its points.
    const prefix = texts.map((text) => this.#name(text)).join(" ");
    return ({ attributes }) => {
      const key = `${prefix} ${attributes}`;
      const known = this.#identities.find(key);
      if (known !== undefined) return known;
      this.#described += resource.length + attributes.length;
      if (this.#described > MAX_DESCRIBED) throw tooMany();
      return this.#identities.add(key, describe(metric, about, attributes, label));
    };
  }

  #name(text: string): number {
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    if (this.#names.size >= MAX_NAMES) this.#names = new Map();
    this.#names.set(text, ++this.#lastName);
    return this.#lastName;
  }
}

/** About 1 kB each. */
const MAX_NAMES = 20_000;
/**
 * Bytes of attributes from which a request makes sensors that are not known. Those of a resource count with each: a few megabytes would else
 * be read, sorted and hashed a hundred thousand times, and nothing else be done meanwhile.
 */
const MAX_DESCRIBED = 64 * 1024 * 1024;

interface Part {
  readonly suffix: string;
  readonly kind: Kind;
  readonly unit: string;
}

function grows({ temporality }: Metric): Kind {
  return temporality === DELTA ? "delta" : "counter";
}

function gaugeOrDelta({ type, temporality }: Metric): Kind {
  return type === "sum" && temporality === DELTA ? "delta" : "gauge";
}

function isReading(point: NumberPoint | Distribution, not: NotMapped): boolean {
  if (point.isAbsent) not.noRecordedValue++;
  else if (point.timeUs === 0) not.timeless++;
  else if (isInOtherUnit(point, not)) not.otherUnit++;
  else if ("value" in point && Number.isNaN(point.value)) not.nan++;
  else return true;
  return false;
}

function isInOtherUnit({ timeNs }: NumberPoint | Distribution, not: NotMapped): boolean {
  const why = otherUnit(timeNs, "ns");
  if (why === undefined) return false;
  not.example ||= why;
  return true;
}

function describe({ name, resource, scope }: Metric, part: Part, attributes: string, label?: Label): Described {
  const own = [...labelsOf(attributes), ...(label === undefined ? [] : [label])].filter(hasValue);
  const names = new Set(own.map(([key]) => key));
  const labels = [...own];
  const more: Label[] = scope === "" ? [] : [["otel.scope.name", scope]];
  for (const [key, value] of labelsOf(resource).filter(hasValue)) {
    const label: Label = [names.has(key) ? `resource.${key}` : key, value];
    if (PASSING.test(key)) more.push(label);
    else labels.push(label);
  }
  return { name: `${name}${part.suffix}`, labels, more, kind: part.kind, unit: part.unit };
}

function hasValue([, value]: Label): boolean {
  return value !== "";
}
