import type { Sql } from "postgres";

/**
 * Runs `work` in a transaction. Used instead of the library's `begin`, which answers a connection that is lost in the middle by
 * sending "rollback" to the closed socket: an exception that nothing can catch, and the end of the process.
 *
 * Between its statements `work` must not wait for anything else.
 */
export async function transaction<T>(sql: Sql, work: (tx: Sql) => Promise<T>): Promise<T> {
  const session = await sql.reserve();
  try {
    await session`begin`;
    const result = await work(session);
    const done = await session`commit`;
    // A failed statement that nobody waited for: the server then answers the commit with a rollback.
    if (done.command !== "COMMIT") throw new Error(`the transaction ended with ${done.command}`);
    session.release();
    return result;
  } catch (error) {
    // A session that is lost has left the pool by itself.
    if (!isLost(error)) {
      await session`rollback`;
      session.release();
    }
    throw error;
  }
}

/** The connection is gone, or the server is about to close it. */
function isLost(error: unknown): boolean {
  return /^(CONNECTION_|E[A-Z]+$|57P0)/.test((error as { code?: string }).code ?? "");
}
