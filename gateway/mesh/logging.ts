/**
 * Mesh's loggers, silent: what matters is logged by us. Each of them reads LOG_LEVEL when it is made, also one that is given its level,
 * and throws at a word that is not its own, such as "INFO" or "silent": so the variable is put into its words first.
 */
import { LegacyLogger, Logger } from "@graphql-hive/logger";

const MESH_LEVELS = new Set(["trace", "debug", "info", "warn", "error"]);

/** To be called before any part of Mesh is made; configuration has been read by then. */
export function tameLogLevel(environment: NodeJS.ProcessEnv): void {
  const given = environment.LOG_LEVEL;
  if (given === undefined || MESH_LEVELS.has(given)) return;
  const lower = given.toLowerCase();
  environment.LOG_LEVEL = MESH_LEVELS.has(lower) ? lower : "error";
}

export function silentLogs() {
  const log = new Logger({ level: false });
  return { log, logger: LegacyLogger.from(log) };
}
