import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

/** A device's buffer. */
const DEVICE_BYTES = "16m";
const chunk = Buffer.alloc(64 * 1024);

/** Why there is none here, or undefined where there can be one. */
export const noDisk =
  process.platform === "linux" && process.getuid?.() === 0 ? undefined : "needs root on Linux, to mount a small disk";

/** A small disk of its own under a device's buffer, which can be filled up. */
export class SmallDisk {
  readonly folder: string;
  readonly #filler: string;

  /** @param size as `mount` takes it */
  constructor(folder: string, size = DEVICE_BYTES) {
    this.folder = folder;
    this.#filler = join(folder, "filler");
    mkdirSync(folder);
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", folder]);
  }

  /** Takes all the room that is left. */
  fill(): void {
    const file = openSync(this.#filler, "w");
    try {
      for (let length = chunk.length; length > 0; ) {
        try {
          length = writeSync(file, chunk, 0, length);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
          length = Math.floor(length / 2); // the last page, too
        }
      }
    } finally {
      closeSync(file);
    }
  }

  free(): void {
    rmSync(this.#filler);
  }

  remove(): void {
    execFileSync("umount", [this.folder]);
  }
}
