import { randomBytes } from "node:crypto";
import type { Sql } from "postgres";
import type { Clock } from "../clock.ts";
import { SESSION_TIMES } from "../lib/session-times.ts";
import type { Logger } from "../observe/logger.ts";
import { LastUse } from "./last-use.ts";
import type { Logout } from "./logout-token.ts";
import { callerKeyOf, type Principal } from "./principal.ts";
import { ShortMemory } from "./short-memory.ts";

/** A browser that is signed in. */
export interface ConsoleSession {
  readonly id: string;
  /** The principal's name. */
  readonly caller: string;
  readonly browser: string;
  readonly begunAt: Date;
  /** To the minute. */
  readonly lastUsedAt: Date;
  readonly endsAt: Date;
}

/** Of one caller: a person has few browsers. Older ones make room, so that whoever signs in by a program in a loop fills no table. */
export const MAX_SESSIONS_OF_CALLER = 100;
/** What is over is kept for so long, for whoever looks into the table after an incident. */
const KEPT_DAYS = 30;

/** Sessions of browsers in the database, so that they can be ended before their credential ends; recognised with a short memory. */
export class ConsoleSessions {
  readonly #sql: Sql;
  readonly #logger: Logger;
  /** When each ends, wall clock. */
  readonly #memory: ShortMemory<number>;
  readonly #lastUse: LastUse;
  readonly #clock: Clock;

  constructor({ sql, clock, logger }: { sql: Sql; clock: Clock; logger: Logger }) {
    this.#sql = sql;
    this.#clock = clock;
    this.#logger = logger;
    this.#lastUse = new LastUse(clock);
    this.#memory = new ShortMemory({ clock, what: "sessions", read: (id) => this.#endOf(id) });
  }

  /** @param browser what it calls itself */
  async begin(principal: Principal, browser: string): Promise<ConsoleSession> {
    const id = randomBytes(16).toString("base64url");
    const sql = this.#sql;
    const [row] =
      await sql`insert into console_session (id, caller, caller_key, browser, ends_at, provider_subject, provider_sid)
      values (${id}, ${principal.name}, ${callerKeyOf(principal)}, ${browser},
        now() + ${SESSION_TIMES.absoluteMs} * interval '1 millisecond',
        ${principal.provider?.subject ?? null}, ${principal.provider?.sid ?? null})
      returning *`;
    await sql`delete from console_session where ends_at < now() - ${KEPT_DAYS} * interval '1 day'
      or id in (select id from console_session where caller_key = ${callerKeyOf(principal)}
        order by begun_at desc, id offset ${MAX_SESSIONS_OF_CALLER})`;
    return sessionOf(row as Row);
  }

  /** Throws "unavailable" where that cannot be found out. */
  async isOpen(id: string): Promise<boolean> {
    const endsMs = await this.#memory.look(id);
    return endsMs !== undefined && endsMs > this.#clock.nowUs() / 1_000;
  }

  /** Notes the use, to the minute, without making the call wait. */
  used(id: string): void {
    if (!this.#lastUse.isDue(id)) return;
    this.#sql`update console_session set last_used_at = date_trunc('minute', now()) where id = ${id}`.catch(
      (error: unknown) => this.#logger.warn({ err: error }, "last use of a session not noted"),
    );
  }

  /** Those that go on, the newest first. @param of absent: everybody's */
  async list(limit: number, of?: Principal): Promise<ConsoleSession[]> {
    const sql = this.#sql;
    const rows = await sql`select * from console_session
      where ended_at is null and ends_at > now()
        and last_used_at > now() - ${SESSION_TIMES.idleMs} * interval '1 millisecond' - interval '1 minute'
        ${of === undefined ? sql`` : sql`and caller_key = ${callerKeyOf(of)}`}
      order by begun_at desc, id limit ${limit}`;
    return rows.map((row) => sessionOf(row as Row));
  }

  /** Ends it; again changes nothing. Undefined where there is none. @param of absent: whosever it is */
  async end(id: string, of?: Principal): Promise<ConsoleSession | undefined> {
    const sql = this.#sql;
    const [row] = await sql`update console_session set ended_at = coalesce(ended_at, now())
      where id = ${id} ${of === undefined ? sql`` : sql`and caller_key = ${callerKeyOf(of)}`}
      returning *`;
    this.#memory.forget(id);
    return row === undefined ? undefined : sessionOf(row as Row);
  }

  /** Ends all of a caller, but for the one that is kept. @returns how many went on until then */
  async endAll(of: Principal | { readonly name: string }, kept = ""): Promise<number> {
    const sql = this.#sql;
    // Of somebody else the name is known alone, which tokens may share.
    const whose = "scopes" in of ? sql`caller_key = ${callerKeyOf(of)}` : sql`caller = ${of.name}`;
    const rows = await sql`update console_session set ended_at = now()
      where ended_at is null and ends_at > now() and ${whose} and id <> ${kept} returning id`;
    return this.#forget(rows);
  }

  /** Ends what the identity provider has ended; undefined where the token has counted before. */
  async endByProvider({ subject, sid, jti, endsMs }: Logout): Promise<number | undefined> {
    const rows = await this.#sql.begin(async (sql) => {
      await sql`delete from logout_token where ends_at < now()`;
      const first = await sql`insert into logout_token (jti, ends_at) values (${jti}, ${new Date(endsMs)})
        on conflict do nothing returning jti`;
      if (first.length === 0) return undefined;
      // A session that began without a name of its own at the provider ends with any of its person.
      return sql`update console_session set ended_at = now()
        where ended_at is null and ends_at > now()
          and (${subject ?? null}::text is null or provider_subject = ${subject ?? null})
          and (${sid ?? null}::text is null or provider_sid = ${sid ?? null}
            or (provider_sid is null and provider_subject = ${subject ?? null}))
        returning id`;
    });
    return rows && this.#forget(rows);
  }

  #forget(rows: readonly { readonly [name: string]: unknown }[]): number {
    for (const { id } of rows) this.#memory.forget(id as string);
    return rows.length;
  }

  async #endOf(id: string): Promise<number | undefined> {
    const [row] = await this.#sql`select ends_at from console_session where id = ${id} and ended_at is null`;
    return row === undefined ? undefined : (row.ends_at as Date).getTime();
  }
}

interface Row {
  readonly id: string;
  readonly caller: string;
  readonly browser: string;
  readonly begun_at: Date;
  readonly last_used_at: Date;
  readonly ends_at: Date;
}

function sessionOf(row: Row): ConsoleSession {
  const { id, caller, browser, begun_at: begunAt, last_used_at: lastUsedAt, ends_at: endsAt } = row;
  return { id, caller, browser, begunAt, lastUsedAt, endsAt };
}
