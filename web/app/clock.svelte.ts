/** Now, for everything that says how long ago something was: all of it moves together. */

import type {} from "../early/answers.ts";

const EVERY_MS = 5_000;

class Now {
  /** It begins where the first calls were made. */
  ms = $state(globalThis.telltaleEarly?.nowMs ?? Date.now());

  start(): () => void {
    const timer = setInterval(() => {
      this.ms = Date.now();
    }, EVERY_MS);
    return () => clearInterval(timer);
  }
}

export const now = new Now();
