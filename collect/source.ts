/** Where a collector gets its readings from. */
import type { DeviceReading } from "../client/index.ts";
import type { Clock } from "../server/clock.ts";
import type { Logger } from "../server/observe/logger.ts";
import type { SampledLines } from "../server/observe/sampled.ts";
import type { CollectorSettings } from "./config/settings.ts";
import type { Counters } from "./counters.ts";
import type { Spool } from "./spool.ts";

/** What a source works with. */
export interface SourceParts {
  readonly spool: Pick<Spool, "offer" | "store" | "room" | "isFull" | "puts">;
  readonly counters: Counters;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly sampled: Pick<SampledLines, "say">;
}

export interface Source {
  /** Works until the signal aborts, and gives back what it holds. Rejects only for what no other try can mend. */
  run(signal: AbortSignal): Promise<void>;
}

/** What a look at a device without collecting has found: a line of a table. */
export interface Sample {
  readonly sensorId: string;
  /** Where it comes from, such as "holding 100". */
  readonly origin: string;
  /** The reading as it would be sent, or a sentence why there is none. */
  readonly found: DeviceReading | string;
}

/** A kind of collector with its configuration. */
export interface Collector {
  readonly settings: CollectorSettings;
  open(parts: SourceParts): Source | Promise<Source>;
  /** Looks once, and stores nothing. */
  sample(): Promise<readonly Sample[]>;
  /** Passwords that must not show in the log. */
  readonly secrets: readonly (string | undefined)[];
}
