import type { Clock } from "../clock.ts";
import type { Config } from "../config.ts";
import type { HttpProtocol } from "../ingest/protocol.ts";
import type { Logger } from "../observe/logger.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Cleanups } from "./cleanups.ts";

/** What every part of a process is started with. */
export interface Wiring {
  readonly config: Config;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Whether spans are exported. */
  readonly tracing: boolean;
  /** Aborts where the process is to end: a start that is under way goes no further. */
  readonly ending: AbortSignal | undefined;
  /** Something is lost that cannot be brought back: the process should end. */
  readonly onFatal: (error: Error) => void;
  /** Ingest protocols over plain HTTP, beside the contract's own calls. */
  readonly protocols: readonly HttpProtocol[];
  /** What is started adds here how it is ended. */
  readonly cleanups: Cleanups;
}
