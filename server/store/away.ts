/** A database that does not answer for a while. */

/** Pauses between tries while the database is away: long enough not to hammer it, short enough to heal within seconds. */
export const RETRY_FIRST_MS = 50;
export const RETRY_MOST_MS = 2000;

/** Whether the database may answer the same request later: it is away, starting, stopping or out of connections. */
export function isAway(error: unknown): boolean {
  const code = (error as { code?: string }).code ?? "";
  return (
    /^(08|57P|53|40)/.test(code) ||
    code === "55006" ||
    /^(CONNECTION_|CONNECT_TIMEOUT|ECONN|ENOENT|EPIPE|ETIMEDOUT|EHOST|ENOTFOUND|EAI_AGAIN)/.test(code)
  );
}
