/** What a test or the tests of a file start, ended after it or them. */
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach } from "vitest";
import { copyEmbeddedDatabase } from "./database-template.ts";

export interface Cleanup {
  /** Called at the end, the last one added first. */
  add(end: () => Promise<unknown>): void;
  /** The same of what was started. */
  started<T extends { stop(): Promise<unknown> }>(starting: Promise<T>): Promise<T>;
  /** A data folder with an empty database, which outlives the platforms that are started on it. */
  installation(): Promise<string>;
}

/** For the tests of the file or the block in which it is called. */
export function cleanupAfterEach(): Cleanup {
  return cleanupBy(afterEach);
}

/** The same, once after the last of the tests. */
export function cleanupAfterAll(): Cleanup {
  return cleanupBy(afterAll);
}

function cleanupBy(after: (end: () => Promise<void>) => void): Cleanup {
  const ends: (() => Promise<unknown>)[] = [];
  const starts = new Set<Promise<unknown>>();
  const endAll = async () => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  after(async () => {
    await endAll();
    // What starts beside something that has failed, or takes longer than its test may, comes after its end.
    await Promise.allSettled(starts);
    await endAll();
  });
  const add = (end: () => Promise<unknown>) => void ends.push(end);
  return {
    add,
    started: async (starting) => {
      starts.add(starting);
      try {
        const one = await starting;
        add(() => one.stop());
        return one;
      } finally {
        starts.delete(starting);
      }
    },
    installation: async () => {
      const dataDir = await emptyInstallation();
      add(() => rm(dataDir, { recursive: true, force: true }));
      return dataDir;
    },
  };
}

/** @returns a data folder with an empty database; the caller removes it */
export async function emptyInstallation(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), "telltale-installation-"));
  await chmod(dataDir, 0o755);
  await copyEmbeddedDatabase(dataDir);
  return dataDir;
}
