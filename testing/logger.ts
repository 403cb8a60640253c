import pino from "pino";
import { createLogger } from "../server/observe/logger.ts";

/** Silent, unless TEST_LOG_LEVEL says otherwise. */
export const testLogger = pino({ level: process.env.TEST_LOG_LEVEL ?? "silent" });

/** A logger whose lines can be looked at, each parsed. */
export function recordingLogger() {
  const written: string[] = [];
  const logger = createLogger({ level: "trace", write: (line) => written.push(line) });
  return { logger, lines: () => written.map((line) => JSON.parse(line) as Record<string, unknown>) };
}
