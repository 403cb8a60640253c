/** Whether the database of DATABASE_URL can be had, before anything else is started on it. */
import { withoutPassword } from "../environment.ts";
import { StartupError } from "../errors.ts";
import { openClient } from "../postgres/connection.ts";

/** A database that is up answers at once; an address behind which nothing is never does. */
const ANSWER_MS = 8_000;

/** Throws StartupError with a sentence that names the variable. */
export async function probeDatabase(url: string): Promise<void> {
  const client = openClient(url, { max: 1, connect_timeout: ANSWER_MS / 1000 });
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${ANSWER_MS / 1000} s`)), ANSWER_MS);
  try {
    await Promise.race([client.sql`select 1`, late.promise]);
  } catch (error) {
    throw databaseRefusal(url, error);
  } finally {
    clearTimeout(timer);
    client.destroy();
  }
}

/**
 * What a start says where the database does not answer or refuses what it is asked for.
 * @param url undefined: the embedded one
 */
export function databaseRefusal(url: string | undefined, error: unknown): unknown {
  if (url === undefined || error instanceof StartupError) return error;
  const { code, message } = error as Error & { code?: string };
  // An error of several addresses has no message of its own.
  const why = (message || code || String(error)).replaceAll("\n", " ");
  return new StartupError(`DATABASE_URL is "${withoutPassword(url)}", and that database ${advice(code)} (${why}).`, {
    cause: error,
  });
}

function advice(code: string | undefined): string {
  if (code === "28P01" || code === "28000") return "refuses the user: correct user and password, or let the user in";
  if (code === "3D000") return "does not exist: create it, or correct the name";
  if (code === "42501") return "gives the user no right to make tables: grant it";
  if (code === "25006") return "can only be read: name the primary server, or make room where a full disk is why";
  if (code === "53100") return "has no room on its disk: make room";
  if (code === "53300" || code === "57P03") return "takes no connection now: start again when it does";
  return "cannot be reached: start it, or correct the address";
}
