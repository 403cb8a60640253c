/** Now, for everything that says how long ago something was: all of it moves together. */

const EVERY_MS = 5_000;

class Now {
  ms = $state(Date.now());

  start(): () => void {
    const timer = setInterval(() => {
      this.ms = Date.now();
    }, EVERY_MS);
    return () => clearInterval(timer);
  }
}

export const now = new Now();
