/** Reads a table to its end, for tests. */
import {
  type ColumnarOptions,
  openColumnarFile,
  openColumnarStream,
  type RandomAccess,
  recognise,
} from "../../formats/columnar/index.ts";
import { CsvProblem } from "../../formats/csv/index.ts";

export interface ReadTable {
  readonly points: readonly (readonly [sensorId: string, timeUs: number, value: number])[];
  /** By row. */
  readonly losses: readonly (readonly [row: number, reason: string])[];
  readonly missing: number;
  readonly units: readonly string[];
  readonly problem: string | undefined;
}

export function inMemory(bytes: Buffer): RandomAccess {
  return {
    size: bytes.length,
    async read(from, length) {
      if (from + length > bytes.length) throw new CsvProblem("the file is damaged or was cut off.");
      return Buffer.from(Uint8Array.from(bytes.subarray(from, from + length)).buffer);
    },
  };
}

/** @throws whatever is no CsvProblem: nothing else may come of a file, whatever it holds */
export async function readTable(
  bytes: Buffer,
  options: ColumnarOptions = {},
  pieceBytes = 64 * 1024,
): Promise<ReadTable> {
  const points: (readonly [string, number, number])[] = [];
  const losses: (readonly [number, string])[] = [];
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  }
  let [missing, units]: [number, readonly string[]] = [0, []];
  try {
    const format = recognise(bytes.subarray(0, 8));
    const reader =
      format === "parquet" || format === "arrow-file"
        ? await openColumnarFile(format, inMemory(bytes), options)
        : await openColumnarStream(pieces(), options);
    for await (const row of reader.rows()) {
      for (const { value, series } of row.points) points.push([reader.series[series]!.sensorId, row.timeUs, value]);
      for (const { line, reason } of reader.losses.first.splice(0)) losses.push([line, reason]);
    }
    missing = reader.losses.missing;
    units = [...new Set(reader.series.map(({ unit }) => unit))];
    return { points, losses, missing, units, problem: undefined };
  } catch (error) {
    if (!(error instanceof CsvProblem)) throw error;
    return { points, losses, missing, units, problem: error.message };
  }
}
