import { randomUUID } from "node:crypto";
import type { Logger } from "./logger.ts";

/** A line of a kind at most this often: a device with a wrong clock must not fill the disk. */
const EVERY_MS = 1_000;
/** Distinct kinds; they are codes and reasons, of which there are few. */
const MAX_KINDS = 100;

/** Lines about what was refused: the first of its kind at once, then one a second that says how many went without a line. */
export class SampledLines {
  readonly #logger: Logger;
  readonly #nowMs: () => number;
  readonly #kinds = new Map<string, { lastMs: number; suppressed: number }>();

  constructor(logger: Logger, nowMs = () => performance.now()) {
    this.#logger = logger;
    this.#nowMs = nowMs;
  }

  say(kind: string, fields: Readonly<Record<string, unknown>>, message: string, times = 1): void {
    const known = this.#kinds.get(kind);
    const nowMs = this.#nowMs();
    if (known !== undefined && nowMs - known.lastMs < EVERY_MS) {
      known.suppressed += times;
      return;
    }
    if (known === undefined && this.#kinds.size >= MAX_KINDS) return;
    const suppressed = (known?.suppressed ?? 0) + times - 1;
    this.#kinds.set(kind, { lastMs: nowMs, suppressed: 0 });
    this.#logger.info({ ...fields, ...(suppressed > 0 ? { more: suppressed } : {}) }, message);
  }
}

/** The caller's `x-request-id`, where it is one that a line of the log can bear, else a new one. */
export function requestId(given: string | null): string {
  return given !== null && /^[\w.:-]{1,100}$/.test(given) ? given : randomUUID();
}
