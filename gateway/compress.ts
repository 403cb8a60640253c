/** Compresses answers whole, by what the client accepts. Never event streams, whose events would wait in the compressor. */
import { promisify } from "node:util";
import { brotliCompress, gzip, constants as zlib } from "node:zlib";

/** Less than a packet gains nothing by being smaller. */
const MIN_BYTES = 1_024;
/** Near the ratio of the default (11) for JSON at a fiftieth of its time. */
const BROTLI_QUALITY = 4;
const COMPRESSIBLE = /^(?:application\/(?:[\w.+-]*json|javascript)|text\/(?!event-stream)|image\/svg)/i;

const brotli = promisify<Buffer, object, Buffer>(brotliCompress);
const CODERS: Readonly<Record<string, (bytes: Buffer) => Promise<Buffer>>> = {
  br: (bytes) => brotli(bytes, { params: { [zlib.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } }),
  gzip: promisify<Buffer, Buffer>(gzip),
};

export interface Encoded {
  readonly bytes: Buffer;
  /** To be set beside what the answer has. */
  readonly headers: Readonly<Record<string, string>>;
}

/** @param accepted the request's Accept-Encoding */
export async function encode(accepted: string | null | undefined, type: string, bytes: Buffer): Promise<Encoded> {
  if (bytes.length < MIN_BYTES || !COMPRESSIBLE.test(type)) return { bytes, headers: {} };
  const vary = { vary: "Accept-Encoding" };
  const coding = codingOf(accepted ?? "");
  if (coding === undefined) return { bytes, headers: vary };
  return { bytes: await compressed(bytes, coding), headers: { ...vary, "content-encoding": coding } };
}

/** What is the same for everybody is compressed once: megabytes for each stranger who asks would keep the threads busy. */
const kept = new WeakMap<Buffer, Map<string, Promise<Buffer>>>();

/** Tells that these bytes are answered again and again. They must not change. */
export function keep(bytes: Buffer): Buffer {
  kept.set(bytes, new Map());
  return bytes;
}

function compressed(bytes: Buffer, coding: string): Promise<Buffer> {
  const known = kept.get(bytes);
  const found = known?.get(coding) ?? CODERS[coding]!(bytes);
  known?.set(coding, found);
  return found;
}

/** The best that is accepted: what the client weighs highest, brotli before gzip (RFC 9110, 12.5.3). */
export function codingOf(accepted: string): string | undefined {
  const weights = new Map(
    accepted.split(",").map((part): [string, number] => {
      const [name = "", ...parameters] = part.split(";").map((text) => text.trim().toLowerCase());
      const q = parameters.find((parameter) => parameter.startsWith("q="));
      return [name, q === undefined ? 1 : Number(q.slice(2))];
    }),
  );
  const weightOf = (coding: string) => weights.get(coding) ?? weights.get("*") ?? 0;
  const [best] = Object.keys(CODERS).sort((a, b) => weightOf(b) - weightOf(a));
  return weightOf(best!) > 0 ? best : undefined;
}
