/** Of which time the newest reading of each node is, also over restarts: behind it begins what has to be asked for. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Beside the spool's own files. */
const NAME = "opcua-newest.json";

export class NewestTimes {
  readonly #file: string;
  /** Microseconds, by node id. */
  readonly #times: Map<string, number>;
  #isGap = false;
  #gapUs: number | undefined;
  /** As JSON: at the last call of `save`, and in the file. */
  #before: string | undefined;
  #written: string | undefined;

  /** @param folder of the spool; a file there that cannot be read counts as none */
  constructor(folder: string) {
    this.#file = join(folder, NAME);
    this.#times = new Map(Object.entries(readTimes(this.#file)));
  }

  of(nodeId: string): number | undefined {
    return this.#times.get(nodeId);
  }

  /** Nobody listens from now on: until `closeGap` something may be missing behind the newest reading of all nodes. */
  openGap(): void {
    this.#isGap = true;
    // What is read of it, node by node, does not end it for the nodes that are yet to come.
    this.#gapUs ??= this.#latest();
  }

  /** All that was missing is in the spool. */
  closeGap(): void {
    this.#isGap = false;
    this.#gapUs = undefined;
  }

  /** When the gap began that is open; undefined: there was no reading before. */
  get gapUs(): number | undefined {
    return this.#gapUs;
  }

  #latest(): number | undefined {
    let latest: number | undefined;
    for (const us of this.#times.values()) if (latest === undefined || us > latest) latest = us;
    return latest;
  }

  saw(nodeId: string, us: number): void {
    if (us > (this.#times.get(nodeId) ?? Number.NEGATIVE_INFINITY)) this.#times.set(nodeId, us);
  }

  /**
   * Writes what was so at the call before: readings of that time are in the spool by now, while the newest may still be on their way there.
   * What is asked for twice, the platform recognises. While a gap is open the next start has to begin before it, and nothing is written.
   */
  save(): void {
    if (this.#isGap) return;
    const now = JSON.stringify(Object.fromEntries(this.#times));
    if (this.#before !== undefined && this.#before !== this.#written) {
      writeFileSync(`${this.#file}.new`, this.#before, { mode: 0o600 });
      renameSync(`${this.#file}.new`, this.#file);
      this.#written = this.#before;
    }
    this.#before = now;
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
