import { Failure } from "./failure.ts";

/** Steps that several texts have together: each may take as many as one text may, and all of them not without end. */
export class Budget {
  readonly #steps: number;
  #spent = 0;

  constructor(steps: number) {
    this.#steps = steps;
  }

  /** @throws Failure where there are not so many left */
  spend(steps: number): void {
    this.#spent += steps;
    if (this.#spent > this.#steps) throw new Failure(`takes more than ${this.#steps} steps with the texts before it.`);
  }
}
