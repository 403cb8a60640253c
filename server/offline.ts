/** The stored data without the platform: the entry for tools that read or check it. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { StartupError } from "./errors.ts";
import type { SqlAddress } from "./postgres/connection.ts";
import { type EmbeddedPostgresOptions, startEmbeddedPostgres } from "./postgres/embedded.ts";

export interface OpenStore {
  readonly address: SqlAddress;
  close(): Promise<void>;
}

/**
 * The database that a platform with these settings keeps its data in, for tools that work on it without the platform. Throws
 * StartupError where the folder holds none, or a platform is using it.
 */
export async function openStore(
  options: Pick<EmbeddedPostgresOptions, "dataDir" | "logger"> & { readonly databaseUrl: string | undefined },
): Promise<OpenStore> {
  if (options.databaseUrl !== undefined) return { address: options.databaseUrl, close: async () => {} };
  if (!existsSync(join(options.dataDir, "postgres"))) {
    throw new StartupError(`DATA_DIR "${options.dataDir}" holds no data of Telltale.`);
  }
  const postgres = await startEmbeddedPostgres(options);
  return { address: { ...postgres.address }, close: () => postgres.stop() };
}

export { type FsckReport, fsck } from "./store/fsck.ts";
