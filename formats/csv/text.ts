/** Bytes of a file to text. A byte that has no meaning in the encoding refuses the file: half a text is no measurement. */
import { CsvProblem } from "./problem.ts";

/** Bytes that begin what is no text, with what to do about it. */
const SIGNATURES: readonly [bytes: readonly number[], name: string][] = [
  [[0x50, 0x4b, 0x03, 0x04], "a ZIP archive or a spreadsheet (.xlsx): save it as CSV"],
  [[0xd0, 0xcf, 0x11, 0xe0], "an old spreadsheet (.xls): save it as CSV"],
  [[0x1f, 0x8b], "compressed (gzip): decompress it, for example zcat FILE | telltale send -"],
  [
    [0x50, 0x41, 0x52, 0x31],
    "a Parquet file, and not CSV: its readings go by `telltale send`, or by bulk upload with its own content type",
  ],
  [
    [0x41, 0x52, 0x52, 0x4f, 0x57, 0x31],
    "an Arrow file, and not CSV: its readings go by `telltale send`, or by bulk upload with its own content type",
  ],
];

export type Encoding = "utf-8" | "utf-16le" | "utf-16be" | (string & {});

/**
 * Pieces of text without a byte order mark. A mark names the encoding; without one it is `encoding`, or UTF-8, or UTF-16 where
 * every other of the first bytes is zero.
 *
 * @throws CsvProblem where the bytes are no text in that encoding
 */
export async function* decodeText(
  bytes: AsyncIterable<Uint8Array>,
  encoding: Encoding | undefined,
  named: (encoding: string) => void = () => {},
): AsyncGenerator<string> {
  let decoder: TextDecoder | undefined;
  let first: Uint8Array = new Uint8Array();
  try {
    for await (const chunk of bytes) {
      if (decoder === undefined) {
        first = first.length === 0 ? chunk : Buffer.concat([first, chunk]);
        if (first.length < 4) continue;
        decoder = decoderOf(first, encoding);
        named(decoder.encoding);
        yield inspect(decoder.decode(first, { stream: true }));
      } else yield inspect(decoder.decode(chunk, { stream: true }));
    }
    decoder ??= decoderOf(first, encoding);
    yield inspect(decoder.decode(first.length < 4 ? first : undefined));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const hint = "give its encoding, for example --encoding windows-1252, or save it as UTF-8";
    throw new CsvProblem(`the file is not ${decoder?.encoding.toUpperCase() ?? encoding} throughout: ${hint}.`, {
      cause: error,
    });
  }
}

function decoderOf(first: Uint8Array, encoding: Encoding | undefined): TextDecoder {
  const signature = SIGNATURES.find(([bytes]) => bytes.every((byte, i) => first[i] === byte));
  if (signature !== undefined) throw new CsvProblem(`the file is ${signature[1]}.`);
  try {
    return new TextDecoder(markOf(first) ?? encoding ?? wideOf(first) ?? "utf-8", { fatal: true });
  } catch (cause) {
    throw new CsvProblem(`there is no encoding "${encoding}": give one such as windows-1252, utf-8 or utf-16le.`, {
      cause,
    });
  }
}

function markOf(first: Uint8Array): Encoding | undefined {
  if (first[0] === 0xff && first[1] === 0xfe) return "utf-16le";
  if (first[0] === 0xfe && first[1] === 0xff) return "utf-16be";
  return first[0] === 0xef && first[1] === 0xbb && first[2] === 0xbf ? "utf-8" : undefined;
}

/** UTF-16 without a mark: the first two characters are of ASCII. */
function wideOf(first: Uint8Array): Encoding | undefined {
  const zero = [0, 1, 2, 3].map((i) => first[i] === 0);
  if (!zero[0] && zero[1] && !zero[2] && zero[3]) return "utf-16le";
  return zero[0] && !zero[1] && zero[2] && !zero[3] ? "utf-16be" : undefined;
}

function inspect(text: string): string {
  if (!text.includes("\0")) return text;
  throw new CsvProblem(
    "the file holds NUL characters: it is no text, or its encoding is another (--encoding utf-16le).",
  );
}
