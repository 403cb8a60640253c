export interface Problem {
  /** Which invariant, for example "overlap". */
  readonly kind: string;
  /** What is wrong, where. */
  readonly text: string;
}

/** Problems of one kind that are listed one by one; the rest is counted. */
export const LISTED_PER_KIND = 20;

export class Findings {
  readonly problems: Problem[] = [];
  readonly counts = new Map<string, number>();

  add(kind: string, text: string): void {
    const n = (this.counts.get(kind) ?? 0) + 1;
    this.counts.set(kind, n);
    if (n <= LISTED_PER_KIND) this.problems.push({ kind, text });
  }
}
