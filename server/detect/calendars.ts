import type { Calendar } from "./calendar.ts";
import { MAX_HOLIDAYS, MAX_TRANSITIONS } from "./kernel/fields.ts";
import type { Kernel } from "./kernel/kernel.ts";
import { fieldOf, STRUCTURES } from "./kernel/layout.ts";

/** So many are kept before one that nobody uses any more makes room for another. */
const KEPT = 16;

/** The calendars of a kernel's profiles: equal ones are in its memory once (14 kB each). */
export class Calendars {
  readonly #kernel: Kernel;
  /** Addresses that profiles have. */
  readonly #inUse: () => ReadonlySet<number>;
  readonly #byKey = new Map<string, number>();

  constructor(kernel: Kernel, inUse: () => ReadonlySet<number>) {
    this.#kernel = kernel;
    this.#inUse = inUse;
  }

  /** Address of a calendar; 0 of none. */
  address(calendar: Calendar | undefined): number {
    if (calendar === undefined) return 0;
    const known = this.#byKey.get(calendar.key);
    if (known !== undefined) return known;
    const at = this.#room();
    this.#byKey.set(calendar.key, at);
    this.#write(at, calendar);
    return at;
  }

  #room(): number {
    if (this.#byKey.size >= KEPT) {
      const inUse = this.#inUse();
      for (const [key, at] of this.#byKey) {
        if (inUse.has(at)) continue;
        this.#byKey.delete(key);
        return at;
      }
    }
    return this.#kernel.allocate(STRUCTURES.calendar.bytes, 8);
  }

  #write(at: number, { zone, holidays }: Calendar): void {
    const changes = (zone?.changes ?? []).slice(0, MAX_TRANSITIONS);
    const days = (holidays?.days ?? []).slice(0, MAX_HOLIDAYS);
    const values = {
      ...{ zone: zone?.number ?? 0, firstOffset: zone?.firstOffsetUs ?? 0, changes: changes.length },
      // Nothing was asked for yet: no time is within these.
      ...{ from: Number.POSITIVE_INFINITY, until: Number.NEGATIVE_INFINITY, offset: 0 },
      ...{ holidays: days.length, restDay: holidays?.restDay ?? 0 },
    };
    for (const [name, value] of Object.entries(values)) this.#kernel.put("calendar", at, name, value);
    const { f64 } = this.#kernel.views;
    const place = (name: string) => (at + fieldOf("calendar", name).at) >>> 3;
    f64.set(
      changes.map(({ atUs }) => atUs),
      place("changeAt"),
    );
    f64.set(
      changes.map(({ offsetUs }) => offsetUs),
      place("changeTo"),
    );
    f64.set(days, place("holiday"));
  }
}
