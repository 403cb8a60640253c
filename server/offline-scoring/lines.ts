/** What goes between Spark and a process of ours: rows as lines, columns parted by tabs. */
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { SeriesRow } from "../store/store.ts";
import type { SourceBlock } from "./blocks.ts";

/** Written at once: a line for each block would be a system call for each. */
const WRITE_BYTES = 256 * 1024;
/** The columns of a block, as `blocksOfLines` reads them. */
export const BLOCK_COLUMNS = "partition, series, series_json, first_us, last_us, first_id, points, wanted, data";

/** The blocks on the standard input. Throws where a line is none. */
export async function* blocksOfLines(): AsyncGenerator<SourceBlock> {
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line !== "") yield blockOf(line);
  }
}

function blockOf(line: string): SourceBlock {
  const fields = line.split("\t");
  const [partition, seriesId, series, firstUs, lastUs, firstId, points, wanted, data] = fields;
  if (data === undefined) throw new Error(`a line has ${fields.length} fields, wanted 9`);
  return {
    partition: Number(partition),
    seriesId: Number(seriesId),
    series: seriesOf(series!),
    firstUs: Number(firstUs),
    lastUs: Number(lastUs),
    firstId: Number(firstId),
    points: Number(points),
    wanted: wanted === "1",
    data: Buffer.from(data, "base64"),
  };
}

/** A series as SQL's `series_json` gives it. */
export function seriesOf(json: string): SeriesRow {
  const { location, ...rest } = JSON.parse(json) as Omit<SeriesRow, "location"> & { location: string | null };
  return { ...rest, location: location ?? undefined };
}

/** Writes lines to the standard output. */
export class LineWriter {
  #lines = "";

  constructor() {
    // Spark ends a task that is no longer wanted by closing the pipe.
    process.stdout.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(0);
      throw error;
    });
  }

  /** Takes a line with its end. */
  async write(line: string): Promise<void> {
    this.#lines += line;
    if (this.#lines.length >= WRITE_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    const taken = process.stdout.write(this.#lines);
    this.#lines = "";
    if (!taken) await once(process.stdout, "drain");
  }
}
