/** Bodies of remote_write, 1.0 and 2.0, to series. Pure. Nothing is made of labels here: most of them are known already. */
import { TelltaleError } from "../../../errors.ts";
import type { Label } from "../identity.ts";
import { type Place, WireReader } from "../wire.ts";
import { type NativeHistogram, readHistogram } from "./histogram.ts";

/** `prometheus.WriteRequest` and `io.prometheus.write.v2.Request`. */
export type Version = 1 | 2;

/** What metadata says of a series; 1.0 sends it apart from series, and it is not used. */
export type MetricType = "counter" | "gauge" | "histogram" | "summary" | undefined;

export interface WrittenSeries {
  /** The same for the same labels and metadata within a version. */
  readonly key: string;
  readonly labels: () => Label[];
  readonly type: MetricType;
  /** Empty where none is given. */
  readonly unit: string;
  readonly timesMs: readonly number[];
  readonly values: readonly number[];
  readonly histograms: readonly NativeHistogram[];
}

/** Lists of nothing, which most series have one of: an empty list that one thing is put into has room for sixteen more. */
const NO_NUMBERS: number[] = [];
const NO_HISTOGRAMS: NativeHistogram[] = [];

class SamplesOf {
  timesMs = NO_NUMBERS;
  values = NO_NUMBERS;
  histograms = NO_HISTOGRAMS;

  addSample(timeMs: number, value: number): void {
    if (this.values.length === 0) {
      this.timesMs = [timeMs];
      this.values = [value];
    } else {
      this.timesMs.push(timeMs);
      this.values.push(value);
    }
  }

  addHistogram(histogram: NativeHistogram): void {
    if (this.histograms.length === 0) this.histograms = [histogram];
    else this.histograms.push(histogram);
  }
}

class Series1 extends SamplesOf implements WrittenSeries {
  key = "";
  readonly type = undefined;
  readonly unit = "";

  labels(): Label[] {
    return labels1(this.key);
  }
}

class Series2 extends SamplesOf implements WrittenSeries {
  key = "";
  type: MetricType;
  unit = "";
  /** In pairs, of name and value. */
  readonly refs: number[] = [];
  readonly #symbols: Symbols;

  constructor(symbols: Symbols) {
    super();
    this.#symbols = symbols;
  }

  labels(): Label[] {
    const text = (i: number) => this.#symbols.at(this.refs[i]!);
    return Array.from({ length: this.refs.length / 2 }, (_, i): Label => [text(2 * i), text(2 * i + 1)]);
  }
}

/** Texts of a request, which its series refer to. */
class Symbols {
  readonly texts: string[] = [];
  readonly #parts: string[] = [];

  at(ref: number): string {
    const text = this.texts[ref];
    if (text !== undefined) return text;
    throw new TelltaleError("invalid", `a series refers to symbol ${ref}, and there are ${this.texts.length}`);
  }

  /** As a part of a key: its length tells where it ends. */
  part(ref: number): string {
    let part = this.#parts[ref];
    if (part === undefined) {
      part = partOf(this.at(ref));
      this.#parts[ref] = part;
    }
    return part;
  }
}

const partOf = (text: string) => `${text.length} ${text}`;

export interface WriteRequest {
  readonly series: readonly WrittenSeries[];
  /** Values that say that a series has ended. */
  readonly stale: number;
  readonly exemplars: number;
  /** Of 1.0: descriptions of metrics without series. */
  readonly metadata: number;
}

/** @throws TelltaleError "invalid" */
export function parseWrite(body: Uint8Array, version: Version): WriteRequest {
  return version === 1 ? parse1(new WireReader(body)) : parse2(new WireReader(body));
}

interface Counted {
  stale: number;
  exemplars: number;
}

function parse1(r: WireReader): WriteRequest {
  const series: WrittenSeries[] = [];
  const counted: Counted = { stale: 0, exemplars: 0 };
  let metadata = 0;
  for (let tag = r.tag(); tag !== 0; tag = r.tag()) {
    if (tag === 0x0a) series.push(series1(r, counted));
    else {
      if (tag === 0x1a) metadata++;
      r.skip(tag);
    }
  }
  return { series, ...counted, metadata };
}

function series1(r: WireReader, counted: Counted): WrittenSeries {
  const series = new Series1();
  let from = -1;
  let to = -1;
  let scattered = "";
  const end = r.enter();
  for (let tag = r.tag(); tag !== 0; tag = r.tag()) {
    if (tag === 0x0a) {
      // All labels lie together, as serialisers write them: their bytes are the key.
      const at = r.at - 1;
      if (from >= 0 && to !== at) scattered += r.bytes.toString("latin1", from, to);
      if (from < 0 || to !== at) from = at;
      r.skip(tag);
      to = r.at;
    } else if (tag === 0x12) readSample(r, series, counted);
    else if (tag === 0x22) series.addHistogram(readHistogram(r));
    else {
      if (tag === 0x1a) counted.exemplars++;
      r.skip(tag);
    }
  }
  r.leave(end);
  if (from >= 0) series.key = scattered + r.bytes.toString("latin1", from, to);
  return series;
}

/** @param key the labels as they were sent, a character for a byte */
function labels1(key: string): Label[] {
  const r = new WireReader(Buffer.from(key, "latin1"));
  const labels: Label[] = [];
  for (let tag = r.tag(); tag !== 0; tag = r.tag()) {
    if (tag !== 0x0a) throw new Error("the key of a series holds something else than labels");
    let name = "";
    let value = "";
    r.message((field) => {
      if (field === 0x0a) name = r.text();
      else if (field === 0x12) value = r.text();
      else r.skip(field);
    });
    labels.push([name, value]);
  }
  return labels;
}

function readSample(r: WireReader, to: SamplesOf, counted: Counted): void {
  let value = 0;
  let timeMs = 0;
  let isStale = false;
  const end = r.enter();
  for (let tag = r.tag(); tag !== 0; tag = r.tag()) {
    if (tag === 0x09) {
      value = r.double();
      isStale = Number.isNaN(value) && isStaleMarker(r.bits(r.at - 8));
    } else if (tag === 0x10) timeMs = r.int64();
    else r.skip(tag);
  }
  r.leave(end);
  if (isStale) counted.stale++;
  else to.addSample(timeMs, value);
}

/** The one NaN that says that a series has ended. */
function isStaleMarker([high, low]: readonly [number, number]): boolean {
  return high === 0x7ff00000 && low === 2;
}

function parse2(r: WireReader): WriteRequest {
  const symbols = new Symbols();
  const places: Place[] = [];
  for (let tag = r.tag(); tag !== 0; tag = r.tag()) {
    if (tag === 0x22) symbols.texts.push(r.text());
    else if (tag === 0x2a) places.push(r.place());
    else r.skip(tag);
  }
  const counted: Counted = { stale: 0, exemplars: 0 };
  // Symbols may come behind the series that refer to them.
  const series = places.map((place) => series2(r, place, symbols, counted));
  return { series, ...counted, metadata: 0 };
}

function series2(r: WireReader, [from, to]: Place, symbols: Symbols, counted: Counted): WrittenSeries {
  const series = new Series2(symbols);
  const { refs } = series;
  const described = { type: 0, unit: 0 };
  const end = r.enter(from, to);
  for (let tag = r.tag(); tag !== 0; tag = r.tag()) {
    if (tag >>> 3 === 1) r.varints(tag, refs);
    else if (tag === 0x12) readSample(r, series, counted);
    else if (tag === 0x1a) series.addHistogram(readHistogram(r));
    else if (tag === 0x2a) readMetadata(r, described);
    else {
      if (tag === 0x22) counted.exemplars++;
      r.skip(tag);
    }
  }
  r.leave(end);
  if (refs.length % 2 === 1) throw new TelltaleError("invalid", `a series has ${refs.length} labels_refs: give pairs`);
  series.type = TYPES[described.type];
  series.unit = described.unit === 0 ? "" : symbols.at(described.unit);
  let key = partOf(series.type ?? "") + partOf(series.unit);
  for (const ref of refs) key += symbols.part(ref);
  series.key = key;
  return series;
}

const TYPES: Readonly<Record<number, MetricType>> = { 1: "counter", 2: "gauge", 3: "histogram", 5: "summary" };

function readMetadata(r: WireReader, to: { type: number; unit: number }): void {
  r.message((tag) => {
    if (tag === 0x08) to.type = r.varint();
    else if (tag === 0x20) to.unit = r.varint();
    else r.skip(tag);
  });
}
