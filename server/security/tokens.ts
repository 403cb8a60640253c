import type { Sql } from "postgres";
import type { Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import type { Clock } from "../clock.ts";
import type { Logger } from "../observe/logger.ts";
import { LastUse } from "./last-use.ts";
import { hashOf, idOf, newSecret, sameHash } from "./secret.ts";
import { ShortMemory } from "./short-memory.ts";

/** A token without its secret. */
export interface TokenRecord {
  readonly id: string;
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
  readonly sensorPrefix: string;
  readonly createdAt: Date;
  /** The same to the microsecond: lists are in its order. */
  readonly createdUs: number;
  readonly expiresAt: Date | undefined;
  readonly lastUsedAt: Date | undefined;
  readonly revokedAt: Date | undefined;
}

export type NewToken = Pick<TokenRecord, "name" | "scopes" | "sensorPrefix" | "expiresAt">;

interface Known {
  readonly record: TokenRecord;
  readonly hash: Uint8Array;
}

/** Bearer tokens in the database: made, listed, revoked, and recognised with a short memory. */
export class Tokens {
  readonly #sql: Sql;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #memory: ShortMemory<Known>;
  readonly #lastUse: LastUse;

  constructor(options: { sql: Sql; clock: Clock; logger: Logger }) {
    this.#sql = options.sql;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#lastUse = new LastUse(options.clock);
    this.#memory = new ShortMemory({ clock: options.clock, what: "tokens", read: (id) => this.#read(id) });
  }

  async create(token: NewToken): Promise<{ record: TokenRecord; secret: string }> {
    const { id, secret } = newSecret();
    const [row] = await this.#sql`
      insert into api_token (id, name, secret_hash, scopes, sensor_prefix, expires_at)
      values (${id}, ${token.name}, ${hashOf(secret)}, ${bitsOf(token.scopes)}, ${token.sensorPrefix}, ${token.expiresAt ?? null})
      returning ${COLUMNS(this.#sql)}`;
    return { record: recordOf(row as Row), secret };
  }

  /** Newest first, from behind `after` on. */
  async list(limit: number, after?: { readonly timeUs: number; readonly id: string }): Promise<TokenRecord[]> {
    const sql = this.#sql;
    const at = sql`'epoch'::timestamptz + ${after?.timeUs ?? 0}::float8 * interval '1 microsecond'`;
    const behind = sql`where created_at < ${at} or (created_at = ${at} and id > ${after?.id ?? ""})`;
    const rows = await sql`select ${COLUMNS(sql)} from api_token ${after === undefined ? sql`` : behind}
      order by created_at desc, id limit ${limit}`;
    return rows.map((row) => recordOf(row as Row));
  }

  /** Ends it; again changes nothing. Undefined where there is no such token. */
  async revoke(id: string): Promise<TokenRecord | undefined> {
    const [row] = await this.#sql`
      update api_token set revoked_at = coalesce(revoked_at, now()) where id = ${id}
      returning ${COLUMNS(this.#sql)}`;
    this.#memory.forget(id);
    return row === undefined ? undefined : recordOf(row as Row);
  }

  /** The token that this is the secret of, if it is valid now. Throws "unavailable" where that cannot be found out. */
  async verify(secret: string): Promise<TokenRecord | undefined> {
    const id = idOf(secret);
    if (id === undefined) return undefined;
    const known = await this.#memory.look(id);
    if (known === undefined || !sameHash(known.hash, hashOf(secret)) || !this.#valid(known.record)) return undefined;
    this.#used(id);
    return known.record;
  }

  /** Whether the token is still valid, for calls that take long. */
  async stillValid(id: string): Promise<boolean> {
    const known = await this.#memory.look(id);
    return known !== undefined && this.#valid(known.record);
  }

  #valid({ revokedAt, expiresAt }: TokenRecord): boolean {
    return revokedAt === undefined && (expiresAt === undefined || expiresAt.getTime() > this.#clock.nowUs() / 1_000);
  }

  async #read(id: string): Promise<Known | undefined> {
    const [row] = await this.#sql`select ${COLUMNS(this.#sql)} from api_token where id = ${id}`;
    return row === undefined ? undefined : { record: recordOf(row as Row), hash: row.secret_hash as Uint8Array };
  }

  /** Notes the use, to the minute, without making the call wait. */
  #used(id: string): void {
    if (!this.#lastUse.isDue(id)) return;
    this.#sql`update api_token set last_used_at = date_trunc('minute', now()) where id = ${id}`.catch(
      (error: unknown) => this.#logger.warn({ err: error, tokenId: id }, "last use of a token not noted"),
    );
  }
}

/** A Date has milliseconds only. */
const COLUMNS = (sql: Sql) => sql`*, (extract(epoch from created_at) * 1e6)::bigint as created_us`;

interface Row {
  readonly id: string;
  readonly name: string;
  readonly scopes: number;
  readonly sensor_prefix: string;
  readonly created_at: Date;
  readonly created_us: number | string;
  readonly expires_at: Date | null;
  readonly last_used_at: Date | null;
  readonly revoked_at: Date | null;
}

function recordOf(row: Row): TokenRecord {
  return {
    id: row.id,
    name: row.name,
    scopes: scopesOf(row.scopes),
    sensorPrefix: row.sensor_prefix,
    createdAt: row.created_at,
    createdUs: Number(row.created_us),
    expiresAt: row.expires_at ?? undefined,
    lastUsedAt: row.last_used_at ?? undefined,
    revokedAt: row.revoked_at ?? undefined,
  };
}

function bitsOf(scopes: ReadonlySet<Scope>): number {
  return [...scopes].reduce<number>((bits, scope) => bits | (1 << scope), 0);
}

function scopesOf(bits: number): Set<Scope> {
  return new Set([1, 2, 3, 4].filter((scope) => (bits & (1 << scope)) !== 0) as Scope[]);
}
