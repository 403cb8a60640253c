/** Attributes of OpenTelemetry (`repeated KeyValue`) as labels. */
import type { Label } from "../identity.ts";
import { WireReader } from "../wire.ts";

/** Levels of lists and maps in a value: what lies deeper is its bytes, which still tell one sensor from another. */
const MAX_DEPTH = 16;

/**
 * Reads a field of KeyValue without making anything of it: attributes that lie together, as serialisers write them, are known by their
 * bytes.
 */
export class AttributeBytes {
  #scattered = "";
  #from = -1;
  #to = -1;

  /** @param tagBytes of the field's tag, which was read */
  add(r: WireReader, tagBytes: number): void {
    const at = r.at - tagBytes;
    if (this.#from >= 0 && this.#to !== at) this.#scattered += r.bytes.toString("latin1", this.#from, this.#to);
    if (this.#from < 0 || this.#to !== at) this.#from = at;
    r.span();
    this.#to = r.at;
  }

  /** The fields as they were sent, a character for a byte. */
  key(r: WireReader): string {
    return this.#from < 0 ? "" : this.#scattered + r.bytes.toString("latin1", this.#from, this.#to);
  }
}

/** @param key of `AttributeBytes` */
export function labelsOf(key: string): Label[] {
  const r = new WireReader(Buffer.from(key, "latin1"));
  const labels: Label[] = [];
  for (let tag = r.tag(); tag !== 0; tag = r.tag()) labels.push(keyValue(r));
  return labels;
}

function keyValue(r: WireReader): Label {
  let key = "";
  let value: unknown = "";
  r.message((tag) => {
    if (tag === 0x0a) key = r.text();
    else if (tag === 0x12) value = anyValue(r, 0);
    else r.skip(tag);
  });
  return [key, typeof value === "string" ? value : JSON.stringify(value)];
}

/** Numbers as text, since a double may not hold them; lists and maps as they are in JSON. */
function anyValue(r: WireReader, depth: number): unknown {
  if (depth > MAX_DEPTH) return base64(r);
  let value: unknown = "";
  r.message((tag) => {
    if (tag === 0x0a) value = r.text();
    else if (tag === 0x10) value = r.varint() === 0 ? "false" : "true";
    else if (tag === 0x18) value = r.int64Text();
    else if (tag === 0x21) value = String(r.double());
    else if (tag === 0x2a) value = list(r, depth);
    else if (tag === 0x32) value = map(r, depth);
    else if (tag === 0x3a) value = base64(r);
    else r.skip(tag);
  });
  return value;
}

function base64(r: WireReader): string {
  const from = r.span();
  return r.bytes.toString("base64", from, r.at);
}

function list(r: WireReader, depth: number): unknown[] {
  const values: unknown[] = [];
  r.message((tag) => {
    if (tag === 0x0a) values.push(anyValue(r, depth + 1));
    else r.skip(tag);
  });
  return values;
}

function map(r: WireReader, depth: number): Record<string, unknown> {
  const entries: [string, unknown][] = [];
  r.message((tag) => {
    if (tag !== 0x0a) return r.skip(tag);
    let key = "";
    let value: unknown = "";
    r.message((field) => {
      if (field === 0x0a) key = r.text();
      else if (field === 0x12) value = anyValue(r, depth + 1);
      else r.skip(field);
    });
    entries.push([key, value]);
  });
  return Object.fromEntries(entries);
}
