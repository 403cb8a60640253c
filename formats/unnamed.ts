import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A temporary file that has no name any more: it is gone with this process, however that ends. */
export async function openUnnamed(prefix: string): Promise<FileHandle> {
  const folder = await mkdtemp(join(tmpdir(), prefix));
  const file = await open(join(folder, "piece"), "w+");
  await rm(folder, { recursive: true, force: true });
  return file;
}
