import type { Sql } from "postgres";
import { StartupError } from "../errors.ts";
import { openClient, type SqlAddress } from "../postgres/connection.ts";
import type { Log } from "./log.ts";

/** Key in `meta`. */
const KEY = "log_partitions";

/**
 * Opens the log of an installation, and refuses a number of partitions that is not the one with which it was made: sensors would
 * change their partition, and with it their state and their order. `known` is true where the number has been written down before.
 * Throws StartupError; `setting` names the variable.
 */
export async function openPartitioned(
  address: SqlAddress,
  partitions: number,
  setting: string,
  open: (known: boolean) => Promise<Log>,
): Promise<Log> {
  const client = openClient(address, { max: 1 });
  try {
    const made = await madeWith(client.sql);
    if (made !== undefined && made !== partitions) {
      throw new StartupError(
        `${setting} is ${partitions}, but this installation was made with ${made} partitions, and sensors would change theirs: ` +
          `set ${setting} back to ${made}. For another number, start with an empty database and import the readings.`,
      );
    }
    const log = await open(made !== undefined);
    // Not before: a log that cannot be had with this number leaves the choice open.
    await client.sql`insert into meta (key, value) values (${KEY}, ${String(partitions)}) on conflict do nothing`;
    return log;
  } finally {
    await client.sql.end({ timeout: 1 });
  }
}

/** Number of partitions of the installation; undefined where it has never had a log. */
async function madeWith(sql: Sql): Promise<number | undefined> {
  const [written] = await sql`select value::int as n from meta where key = ${KEY}`;
  if (written !== undefined) return written.n as number;
  // From before it was written down: each partition has a row since it was first opened.
  const [rows] = await sql`select max(partition) + 1 as n from log_partition`;
  return (rows?.n as number | null) ?? undefined;
}
