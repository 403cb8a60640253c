/** What of a file cannot be read: counted by kind in full, the first of it by line and reason. */

export type LossKind = "quotes" | "cells" | "time" | "value" | "sensor";

const TEXTS: Readonly<Record<LossKind, string>> = {
  quotes: "quotes that do not fit together",
  cells: "too many or too few cells",
  time: "no time that can be read",
  value: "a value that cannot be read",
  sensor: "no sensor",
};
/** Lines kept with their reasons; the counts go on. */
const KEPT = 1_000;

export interface Loss {
  readonly line: number;
  readonly kind: LossKind;
  readonly reason: string;
}

export class Losses {
  readonly first: Loss[] = [];
  readonly #counts = new Map<LossKind, number>();
  /** Readings that cannot be read: a row, or in a wide file a cell. */
  count = 0;
  /** Cells that say that there is no value: nothing is lost with them. */
  missing = 0;

  add(line: number, kind: LossKind, reason: string): void {
    this.count++;
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
    if (this.first.length < KEPT) this.first.push({ line, kind, reason });
  }

  /** "3 with a value that cannot be read, 1 with no sensor". */
  totals(): string {
    return [...this.#counts].map(([kind, count]) => `${count} with ${TEXTS[kind]}`).join(", ");
  }
}
