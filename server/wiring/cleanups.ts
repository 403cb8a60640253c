import type { Logger } from "../observe/logger.ts";

/** What has to be undone when the process ends, in the opposite order of what was started. */
export class Cleanups {
  readonly #steps: { readonly name: string; readonly run: () => void | Promise<void> }[] = [];

  /** @param name of what is ended, for the log line about a step that fails */
  add(name: string, run: () => void | Promise<void>): void {
    this.#steps.push({ name, run });
  }

  /** Runs each step once, the last one added first. A step that fails is logged and keeps no other from running. */
  async run(logger: Logger): Promise<void> {
    for (const { name, run } of this.#steps.splice(0).reverse()) {
      try {
        await run();
      } catch (error) {
        logger.error({ err: error, step: name }, "a part of the platform did not stop cleanly");
      }
    }
  }
}
