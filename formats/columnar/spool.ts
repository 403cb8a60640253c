/** Files of which any part can be read: on disk, or what came as a stream, in a temporary file without a name. */
import type { FileHandle } from "node:fs/promises";
import { CsvProblem } from "../csv/problem.ts";
import { append, openUnnamed } from "../unnamed.ts";
import { damaged } from "./budget.ts";
import type { RandomAccess } from "./random-access.ts";

/** Of an open file; whoever has opened it closes it. */
export async function randomAccess(file: FileHandle): Promise<RandomAccess> {
  const { size } = await file.stat();
  return {
    size,
    async read(from, length) {
      const buffer = Buffer.from(new ArrayBuffer(length));
      let at = 0;
      while (at < length) {
        const { bytesRead } = await file.read(buffer, at, length - at, from + at);
        if (bytesRead === 0) throw damaged("fewer bytes than it says");
        at += bytesRead;
      }
      return buffer;
    },
  };
}

/** What came is larger than there is room for. */
export class SpoolFull extends CsvProblem {}

/**
 * All that comes, in a file that is gone when it is closed, and with the process at the latest.
 *
 * @throws SpoolFull past `most` bytes, TemporaryFolderFull
 */
export async function spool(pieces: AsyncIterable<Uint8Array>, most: number): Promise<FileHandle> {
  const file = await openUnnamed("telltale-table-");
  try {
    let size = 0;
    for await (const piece of pieces) {
      size += piece.length;
      if (size > most)
        throw new SpoolFull(
          `the file has more than ${Math.floor(most / 1024 / 1024)} MiB: send it as several files, or as an Arrow stream, which may have any size.`,
        );
      await append(file, piece);
    }
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}
