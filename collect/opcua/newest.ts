/** Of which time the newest value of each sensor is, also over restarts, and what is missing behind it while a gap is open. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Spool } from "../spool.ts";

/** Beside the spool's own files. */
const NAME = "opcua-newest.json";

/** Times in microseconds; the maps are by sensor id. */
interface OpenGap {
  /** The newest of all when it began; undefined: there was none before. */
  readonly beginUs: number | undefined;
  /** Until when nothing is missing: at its beginning the newest of each, then what history has brought. */
  readonly until: Map<string, number>;
  /** The first that has come since: from there on nothing is missing. */
  readonly since: Map<string, number>;
}

export class NewestTimes {
  readonly #file: string;
  /** Microseconds, by sensor id. */
  readonly #times: Map<string, number>;
  #gap: OpenGap | undefined;
  /** At the last call of `save` that looked, as JSON, and what had been given to the spool by then. */
  #before: { readonly json: string; readonly puts: number } | undefined;
  /** What is in the file, as JSON; undefined: nothing that says a time. */
  #written: string | undefined;

  /** @param folder of the spool; a file there that cannot be read counts as none */
  constructor(folder: string) {
    this.#file = join(folder, NAME);
    this.#times = new Map(Object.entries(readTimes(this.#file)));
    if (this.#times.size > 0) this.#written = this.#json();
  }

  /** Nobody listens from now on: until `closeGap` something may be missing behind the newest value of all sensors. */
  openGap(): void {
    // One that is open goes on. What has come in it so far is asked for again, and the platform recognises it.
    if (this.#gap?.beginUs !== undefined) this.#gap.since.clear();
    else this.#gap = { beginUs: this.#latest(), until: new Map(this.#times), since: new Map() };
  }

  /** All that was missing is in the spool. */
  closeGap(): void {
    this.#gap = undefined;
  }

  /** When the gap began that is open; undefined: there was no value before. */
  get gapUs(): number | undefined {
    return this.#gap?.beginUs;
  }

  /** Whether the next start knows from when on to ask for history. */
  get isWritten(): boolean {
    return this.#written !== undefined;
  }

  #json(): string {
    return JSON.stringify(Object.fromEntries(this.#times));
  }

  #latest(): number | undefined {
    let latest: number | undefined;
    for (const us of this.#times.values()) if (latest === undefined || us > latest) latest = us;
    return latest;
  }

  /** A value has come. */
  saw(sensorId: string, us: number): void {
    this.#advance(sensorId, us);
    if (this.#gap && !this.#gap.since.has(sensorId)) this.#gap.since.set(sensorId, us);
  }

  /** History has brought all of a sensor until then. */
  fill(sensorId: string, us: number): void {
    this.#advance(sensorId, us);
    this.#gap?.until.set(sensorId, us);
  }

  #advance(sensorId: string, us: number): void {
    if (us > (this.#times.get(sensorId) ?? Number.NEGATIVE_INFINITY)) this.#times.set(sensorId, us);
  }

  /** Whether a value of the gap has not come yet. @param fromUs for sensors that had none before the gap */
  isMissing(sensorId: string, us: number, fromUs: number): boolean {
    const until = this.#gap?.until.get(sensorId) ?? fromUs - 1;
    return us > until && us < (this.#gap?.since.get(sensorId) ?? Number.POSITIVE_INFINITY);
  }

  /**
   * Writes what was so at a call before, once the values of that time are stored: the newest may still be on their way. What is asked for
   * twice, the platform recognises. While a gap is open the next start has to begin before it, and nothing is written.
   *
   * @param puts of the spool, to which all values that were seen have been given
   */
  save({ begun, stored }: Spool["puts"]): void {
    if (this.#gap || this.#times.size === 0) return;
    if (this.#before !== undefined) {
      const { json, puts } = this.#before;
      if (stored < puts) return;
      if (json !== this.#written) {
        writeFileSync(`${this.#file}.new`, json, { mode: 0o600 });
        renameSync(`${this.#file}.new`, this.#file);
        this.#written = json;
      }
    }
    this.#before = { json: this.#json(), puts: begun };
  }
}

function readTimes(file: string): Record<string, number> {
  try {
    const times: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (typeof times !== "object" || times === null) return {};
    return Object.fromEntries(Object.entries(times).filter(([, us]) => Number.isFinite(us)));
  } catch (error) {
    const isNone = error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === "ENOENT";
    if (!isNone) throw error;
    return {};
  }
}
