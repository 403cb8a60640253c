import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The folder of temporary files is full, or the user's quota of it is used up. The message says what to do. */
export class TemporaryFolderFull extends Error {
  constructor(cause: unknown) {
    super(`The temporary folder ${tmpdir()} is full: make room there, or set TMPDIR to a folder that has some.`, {
      cause,
    });
  }
}

/**
 * A temporary file that has no name any more: it is gone with this process, however that ends. Write to it with `append`.
 *
 * @throws TemporaryFolderFull
 */
export function openUnnamed(prefix: string): Promise<FileHandle> {
  return withRoom(async () => {
    const folder = await mkdtemp(join(tmpdir(), prefix));
    try {
      return await open(join(folder, "piece"), "w+");
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}

/** Writes all of it to the end: a disk that fills up takes a part of a plain write and says so only by its count. @throws TemporaryFolderFull */
export function append(file: FileHandle, bytes: string | Uint8Array): Promise<void> {
  return withRoom(() => file.appendFile(bytes));
}

async function withRoom<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw code === "ENOSPC" || code === "EDQUOT" ? new TemporaryFolderFull(error) : error;
  }
}
