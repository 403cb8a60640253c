/** What work costs, on a machine that does other things beside it. */

/** Milliseconds that this thread has been on a processor for the work, which ends before it returns. */
export function threadMillisecondsOf(work: () => unknown): number {
  const before = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1_000;
}
