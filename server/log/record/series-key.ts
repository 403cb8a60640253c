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

export function encodeSeriesKey({ sensorId, sensorType, unit, location }: SeriesFields): string {
  const key = (sensorId && field(1, sensorId)) + (sensorType && field(2, sensorType)) + (unit && field(3, unit));
  return location === undefined ? key : key + field(4, location);
}

function field(number: number, text: string): string {
  const bytes = ASCII.test(text) ? text : Buffer.from(text).toString("latin1");
  let length = "";
  let rest = bytes.length;
  for (; rest > 127; rest >>>= 7) length += String.fromCharCode((rest & 127) | 128);
  return String.fromCharCode((number << 3) | 2) + length + String.fromCharCode(rest) + bytes;
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
