/** Derives incidents as alert events come in, in the one process that leads. */
import type { Sql } from "postgres";
import type { Logger } from "../observe/logger.ts";
import { type Changes, Leader } from "../postgres/leader.ts";
import { derive, EVENTS_AT_ONCE, isOlder, type Step } from "./derive.ts";
import { type Progress, readProgress } from "./load.ts";
import type { IncidentSettings } from "./settings.ts";
import type { State } from "./state.ts";

/** Any constant of our own. */
const LOCK = 7_351_909_411;
/** Events whose commit was not noticed are looked for this often, and so is a lock that its holder has lost. */
const LOOK_AGAIN_MS = 2_000;

/** What a step did, for metrics and watchers; undefined: another process derives. */
export type Derived = (Step & { readonly ms: number }) | undefined;

export interface DeriverOptions {
  /** Of one connection, which nothing else uses: the lock is its session's. */
  readonly sql: Sql;
  readonly settings: IncidentSettings;
  readonly logger: Logger;
  /** Changes whenever alert events were committed. */
  readonly alertsChanged: Changes;
  readonly onStep: (derived: Derived) => void;
}

export class Deriver {
  readonly #leader: Leader<Step & { readonly ms: number }, Progress>;
  #state: State | undefined;

  constructor({ sql, settings, logger, alertsChanged, onStep }: DeriverOptions) {
    this.#leader = new Leader({
      ...{ sql, logger, lock: LOCK, what: "incidents are derived", changes: alertsChanged, lookAgainMs: LOOK_AGAIN_MS },
      read: readProgress,
      step: async (tx, progress) => {
        const startedMs = performance.now();
        // A program with older rules leaves it to a newer one.
        if (isOlder(progress)) return undefined;
        const step = await derive(tx, settings, this.#state);
        const done = { ...step, ms: performance.now() - startedMs };
        return { statements: [], done: () => done };
      },
      onStep: (derived) => {
        this.#state = derived?.state;
        if (derived?.rebuilt && derived.state.seq > 0) {
          logger.info({ events: derived.state.seq, ms: Math.round(derived.ms) }, "all incidents were derived again");
        }
        onStep(derived);
        return derived !== undefined && derived.events >= EVENTS_AT_ONCE / 2 ? 0 : LOOK_AGAIN_MS;
      },
      onFailed: () => {
        this.#state = undefined;
      },
    });
  }

  /** Waits for the step under way; then another process may go on. */
  close(): Promise<void> {
    return this.#leader.close();
  }
}
