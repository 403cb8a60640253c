/**
 * Runs the work until it is done, or until the first Ctrl-C (or SIGTERM), which aborts the signal that the work was given.
 * Answers whether the work was done. A second Ctrl-C ends the process.
 */
export async function untilInterrupted(work: (signal: AbortSignal) => Promise<unknown>): Promise<boolean> {
  const stop = new AbortController();
  const interrupted = Promise.withResolvers<void>();
  const onSignal = () => {
    stop.abort(new Error("interrupted"));
    interrupted.resolve();
    process.exitCode = 130;
  };
  const names = ["SIGINT", "SIGTERM"] as const;
  for (const name of names) process.once(name, onSignal);
  try {
    const working = work(stop.signal).catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    });
    await Promise.race([working, interrupted.promise]);
    return !stop.signal.aborted;
  } finally {
    for (const name of names) process.off(name, onSignal);
  }
}
