/**
 * `telltale.v1.SeriesKey` by hand, as a text with a character for each byte: a platform that starts again meets each of its series once, and
 * the generated code takes ten times as long. `series-key.test.ts` holds the two to each other.
 */
import { fromBinary } from "@bufbuild/protobuf";
import { SeriesKeySchema } from "../../../gen/es/telltale/v1/log_pb.ts";

export interface SeriesFields {
  readonly sensorId: string;
  readonly sensorType: string;
  readonly unit: string;
  /** An absent one differs from an empty one. */
  readonly location: string | undefined;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: of one byte each
const ASCII = /^[\x00-\x7f]*$/;

/** Where a key is put together: texts that are joined stay a tree of their pieces, which takes four times the memory. */
let scratch = Buffer.allocUnsafe(4096);
/** Tag and length of a field, at the most. */
const FIELD_HEAD = 6;
/** Bytes of a character in UTF-8, at the most. */
const CHARACTER_BYTES = 3;

export function encodeSeriesKey({ sensorId, sensorType, unit, location }: SeriesFields): string {
  const characters = sensorId.length + sensorType.length + unit.length + (location?.length ?? 0);
  const room = CHARACTER_BYTES * characters + 4 * FIELD_HEAD;
  if (scratch.length < room) scratch = Buffer.allocUnsafe(room);
  let end = sensorId === "" ? 0 : putField(0, 1, sensorId);
  if (sensorType !== "") end = putField(end, 2, sensorType);
  if (unit !== "") end = putField(end, 3, unit);
  if (location !== undefined) end = putField(end, 4, location);
  return scratch.toString("latin1", 0, end);
}

function putField(at: number, number: number, text: string): number {
  const length = Buffer.byteLength(text);
  let p = at;
  scratch[p++] = (number << 3) | 2;
  let rest = length;
  for (; rest > 127; rest >>>= 7) scratch[p++] = (rest & 127) | 128;
  scratch[p++] = rest;
  return p + scratch.write(text, p, length, "utf8");
}

/** @throws Error where it is no key */
export function decodeSeriesKey(key: string): SeriesFields {
  return plain(key) ?? generated(key);
}

/** Of a key as it is written above, with texts of up to 127 bytes that are characters of their own; undefined: it is another one. */
function plain(key: string): SeriesFields | undefined {
  if (!ASCII.test(key)) return undefined;
  let at = 0;
  const next = (number: number): string | undefined => {
    if (key.charCodeAt(at) !== ((number << 3) | 2)) return undefined;
    const from = at + 2;
    at = from + key.charCodeAt(at + 1);
    return key.slice(from, at);
  };
  const [sensorId = "", sensorType = "", unit = "", location] = [next(1), next(2), next(3), next(4)];
  return at === key.length ? { sensorId, sensorType, unit, location } : undefined;
}

function generated(key: string): SeriesFields {
  const { sensorId, sensorType, unit, location } = fromBinary(SeriesKeySchema, Buffer.from(key, "latin1"));
  return { sensorId, sensorType, unit, location };
}
