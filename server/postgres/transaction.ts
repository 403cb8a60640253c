import { setImmediate as turn } from "node:timers/promises";
import type { PendingQuery, Row, Sql } from "postgres";

/**
 * The library's `begin`, made safe against a connection that is lost in the middle: the library would send "rollback" to the
 * closed socket, an exception that nothing can catch and the end of the process, or into the transaction that has the connection by then. Here
 * the work never ends then, and `begin` rejects by itself when the connection has closed.
 *
 * @param work it is told by the signal that the connection is lost; where it waits for something else meanwhile, it must not use `tx` after that
 */
export async function transaction<T>(sql: Sql, work: (tx: Sql, lost: AbortSignal) => Promise<T>): Promise<T> {
  const over = new AbortController();
  try {
    return (await sql.begin(async (tx) => {
      try {
        const done = await work(tx as unknown as Sql, over.signal);
        return over.signal.aborted ? new Promise<never>(() => {}) : done;
      } catch (error) {
        if (over.signal.aborted || isLost(error)) return new Promise<never>(() => {});
        throw error;
      }
    })) as T;
  } catch (error) {
    over.abort(error);
    throw error;
  }
}

/** The last statements of a transaction, none of which needs another's answer, and what follows from their rows. */
export interface Ending<T> {
  readonly statements: readonly PendingQuery<Row[]>[];
  readonly done: (rows: readonly (readonly Row[])[]) => T;
}

/** As `transaction`, with its last statements and the commit sent together: their answers are one wait for the database and not two. */
export async function endingTransaction<T>(sql: Sql, work: (tx: Sql) => Promise<Ending<T>>): Promise<T> {
  const { sent, done } = await transaction(sql, async (tx) => {
    const ending = await work(tx);
    const rows = allEnded(ending.statements.map((statement) => statement.execute()));
    rows.catch(() => {}); // heard of below
    // The library sends a statement some microtasks later; the commit comes behind them.
    await turn();
    // Not the promise itself, for which the commit would wait.
    return { done: ending.done, sent: { rows } };
  });
  // Where one has failed the commit was a rollback.
  return done(await sent.rows);
}

/** The same in the middle of a transaction. */
export async function endWithin<T>({ statements, done }: Ending<T>): Promise<T> {
  return done(await allEnded(statements));
}

/**
 * As `Promise.all`, for parts of a transaction: where one fails, it fails with that error once all have ended. Otherwise the
 * transaction would be over while a part still has statements to send, which would then run on the connection outside of any transaction.
 */
export async function allEnded<const T extends readonly unknown[]>(
  parts: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  try {
    return await Promise.all(parts);
  } catch (error) {
    await Promise.allSettled(parts);
    throw error;
  }
}

/** The connection is gone, or the server has announced that it closes it. */
function isLost(error: unknown): boolean {
  const { code = "", severity } = error as { code?: string; severity?: string };
  return severity === "FATAL" || /^(CONNECTION_|E[A-Z]+$|57P0)/.test(code);
}

/** The statement that follows in the same transaction reports the same failure. */
export function ignoreHere(error: unknown): void {
  if (!(error instanceof Error)) throw error;
}
