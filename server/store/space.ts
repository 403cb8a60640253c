/**
 * Room on the disk of the embedded database. PostgreSQL stops as a whole when it cannot write its log, so readings are refused before it comes
 * to that: what was acknowledged can still be scored and stored, and nobody has to restart anything when there is room again.
 */
import { statfs } from "node:fs/promises";
import type { Logger } from "pino";

const MiB = 1024 * 1024;
/**
 * Below this nothing more is taken in. Files of the write-ahead log (16 MiB each) are promised their room before they have it, and what is
 * logged already has to be scored and committed.
 */
const LEAST_FREE_BYTES = 128 * MiB;
/** Room from which it goes on: not at the very edge, where it would go to and fro. */
const ENOUGH_FREE_BYTES = LEAST_FREE_BYTES + 32 * MiB;
const LOOK_MS = 500;

/** Whether what is taken in can be stored. */
export interface Room {
  /** A sentence for callers while there is no room. */
  readonly full: string | undefined;
  /** A write has failed: perhaps for want of room. */
  refused(error: unknown): void;
}

export interface SpaceOptions {
  readonly folder: string;
  readonly logger: Pick<Logger, "info" | "error">;
  /** Bytes that the platform may still write; by default what the file system says. */
  readonly freeBytes?: (folder: string) => Promise<number>;
}

export class Space implements Room {
  full: string | undefined;
  readonly #o: SpaceOptions;
  readonly #timer: NodeJS.Timeout;

  constructor(options: SpaceOptions) {
    this.#o = options;
    this.#timer = setInterval(() => void this.look(), LOOK_MS);
    this.#timer.unref();
  }

  async look(): Promise<void> {
    const { folder, logger, freeBytes = freeBytesOf } = this.#o;
    const free = await freeBytes(folder);
    const before = this.full;
    const wanted = before === undefined ? LEAST_FREE_BYTES : ENOUGH_FREE_BYTES;
    this.full = free < wanted ? sentence(folder, free) : undefined;
    if ((before === undefined) === (this.full === undefined)) return;
    if (this.full === undefined)
      logger.info({ folder, freeMiB: Math.floor(free / MiB) }, "there is room on the disk again: readings are taken");
    else
      logger.error(
        { folder, freeMiB: Math.floor(free / MiB) },
        `${this.full}: readings are refused until there is room`,
      );
  }

  /** What the file system says counts. */
  refused(): void {
    void this.look();
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

/** 0 where the folder cannot be asked: whatever is wrong with it, nothing should be written there. */
async function freeBytesOf(folder: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch (error) {
    if (error instanceof Error) return 0;
    throw error;
  }
}

function sentence(folder: string, free: number): string {
  const wanted = ENOUGH_FREE_BYTES / MiB;
  return `the disk of DATA_DIR ${JSON.stringify(folder)} is full (${Math.floor(free / MiB)} MiB free, ${wanted} wanted)`;
}
