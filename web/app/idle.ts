/** What can wait until the page has shown what it is for. */

/** Some browsers do not say when they are idle. */
const IDLE_MS = 500;

/** Answers with a function that takes it back. */
export function whenIdle(run: () => void): () => void {
  if (typeof requestIdleCallback === "undefined") {
    const timer = setTimeout(run, IDLE_MS);
    return () => clearTimeout(timer);
  }
  const handle = requestIdleCallback(run, { timeout: IDLE_MS });
  return () => cancelIdleCallback(handle);
}
