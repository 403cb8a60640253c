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
  readonly timesMs: number[];
  readonly values: number[];
  readonly histograms: NativeHistogram[];
}

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
  const points = { timesMs: [] as number[], values: [] as number[] };
  const histograms: NativeHistogram[] = [];
  let from = -1;
  let to = -1;
  let scattered = "";
  r.message((tag) => {
    if (tag === 0x0a) {
      // All labels lie together, as serialisers write them: their bytes are the key.
      const at = r.at - 1;
      if (from >= 0 && to !== at) scattered += r.bytes.toString("latin1", from, to);
      if (from < 0 || to !== at) from = at;
      r.skip(tag);
      to = r.at;
    } else if (tag === 0x12) readSample(r, points, counted);
    else if (tag === 0x22) histograms.push(readHistogram(r));
    else {
      if (tag === 0x1a) counted.exemplars++;
      r.skip(tag);
    }
  });
  const key = from < 0 ? "" : scattered + r.bytes.toString("latin1", from, to);
  return { key, labels: () => labels1(key), type: undefined, unit: "", ...points, histograms };
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

function readSample(r: WireReader, to: { timesMs: number[]; values: number[] }, counted: Counted): void {
  let value = 0;
  let timeMs = 0;
  let isStale = false;
  r.message((tag) => {
    if (tag === 0x09) {
      value = r.double();
      isStale = Number.isNaN(value) && isStaleMarker(r.bits(r.at - 8));
    } else if (tag === 0x10) timeMs = r.int64();
    else r.skip(tag);
  });
  if (isStale) {
    counted.stale++;
    return;
  }
  to.values.push(value);
  to.timesMs.push(timeMs);
}

/** The one NaN that says that a series has ended. */
function isStaleMarker([high, low]: readonly [number, number]): boolean {
  return high === 0x7ff00000 && low === 2;
}

function parse2(r: WireReader): WriteRequest {
  const symbols: string[] = [];
  const places: Place[] = [];
  for (let tag = r.tag(); tag !== 0; tag = r.tag()) {
    if (tag === 0x22) symbols.push(r.text());
    else if (tag === 0x2a) places.push(r.place());
    else r.skip(tag);
  }
  const counted: Counted = { stale: 0, exemplars: 0 };
  // Symbols may come behind the series that refer to them.
  const series = places.map((place) => series2(r, place, symbols, counted));
  return { series, ...counted, metadata: 0 };
}

function series2(r: WireReader, [from, to]: Place, symbols: readonly string[], counted: Counted): WrittenSeries {
  const refs: number[] = [];
  const points = { timesMs: [] as number[], values: [] as number[] };
  const histograms: NativeHistogram[] = [];
  const described = { type: 0, unit: 0 };
  r.inside(from, to, (tag) => {
    if (tag >>> 3 === 1) r.repeated(tag, () => refs.push(r.varint()));
    else if (tag === 0x12) readSample(r, points, counted);
    else if (tag === 0x1a) histograms.push(readHistogram(r));
    else if (tag === 0x2a) readMetadata(r, described);
    else {
      if (tag === 0x22) counted.exemplars++;
      r.skip(tag);
    }
  });
  if (refs.length % 2 === 1) throw new TelltaleError("invalid", `a series has ${refs.length} labels_refs: give pairs`);
  const texts = refs.map((ref) => symbol(symbols, ref));
  const type = TYPES[described.type];
  const unit = described.unit === 0 ? "" : symbol(symbols, described.unit);
  const key = [type ?? "", unit, ...texts].map((text) => `${text.length} ${text}`).join("");
  return { key, labels: () => pairs(texts), type, unit, ...points, histograms };
}

function symbol(symbols: readonly string[], ref: number): string {
  const text = symbols[ref];
  if (text !== undefined) return text;
  throw new TelltaleError("invalid", `a series refers to symbol ${ref}, and there are ${symbols.length}`);
}

function pairs(texts: readonly string[]): Label[] {
  return Array.from({ length: texts.length / 2 }, (_, i): Label => [texts[2 * i]!, texts[2 * i + 1]!]);
}

const TYPES: Readonly<Record<number, MetricType>> = { 1: "counter", 2: "gauge", 3: "histogram", 5: "summary" };

function readMetadata(r: WireReader, to: { type: number; unit: number }): void {
  r.message((tag) => {
    if (tag === 0x08) to.type = r.varint();
    else if (tag === 0x20) to.unit = r.varint();
    else r.skip(tag);
  });
}
