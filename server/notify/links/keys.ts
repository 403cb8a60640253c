/** The keys of links: those that the environment names, or one that is kept in the database. */
import { randomBytes } from "node:crypto";
import type { Sql } from "postgres";
import type { Clock } from "../../clock.ts";
import type { Environment } from "../../environment.ts";
import { TelltaleError } from "../../errors.ts";
import { SecretProblem, Secrets } from "../channels/secrets.ts";
import type { Secret } from "../config/config.ts";
import { type Keeping, keptKey, placeOf, replaceKey } from "../installation-key.ts";
import { type LinkKey, linkKey } from "./link.ts";

const KEEPING: Keeping = { table: "notify_link_key", column: "secret", make: () => randomBytes(32) };
const MIN_CHARACTERS = 32;
const MAX_KEYS = 10;

export interface LinkKeysOptions {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly environment: Environment;
  /** Undefined: in the database. */
  readonly given: Secret | undefined;
}

/** Read whenever they are needed: what is revoked in one process counts at once in all. */
export class LinkKeys {
  readonly #o: LinkKeysOptions;

  constructor(options: LinkKeysOptions) {
    this.#o = options;
  }

  /**
   * The first signs; links of all of them count.
   *
   * @throws SecretProblem where the environment's cannot be had
   */
  async read(): Promise<readonly [LinkKey, ...LinkKey[]]> {
    const { sql, clock, given, environment } = this.#o;
    if (given === undefined) return [linkKey(await keptKey(sql, clock, KEEPING))];
    const text = await new Secrets(environment).read(given, "the keys of links");
    const [first, ...more] = linkSecrets(text, placeOf(given));
    return [linkKey(first), ...more.map(linkKey)];
  }

  /**
   * Since when links that were signed before count no more.
   *
   * @throws TelltaleError "conflict" where the environment has them
   */
  async revoke(): Promise<number> {
    const { sql, clock, given } = this.#o;
    if (given !== undefined) {
      throw new TelltaleError(
        "conflict",
        "the keys of links come from NOTIFY_LINK_KEYS or its file: put others there, and start the platform again",
      );
    }
    const nowUs = clock.nowUs();
    await replaceKey(sql, nowUs, KEEPING);
    return nowUs;
  }
}

/**
 * Keys in a text, with commas or blanks between them.
 *
 * @param where they stand, for the complaint
 * @throws SecretProblem where one is too short, or there are too many
 */
export function linkSecrets(text: string, where: string): [Buffer, ...Buffer[]] {
  const parts = text.split(/[\s,]+/).filter((part) => part !== "");
  const [first, ...more] = parts;
  const short = parts.findIndex((part) => part.length < MIN_CHARACTERS);
  if (first === undefined || short >= 0 || parts.length > MAX_KEYS) {
    const has = short >= 0 ? `key ${short + 1} has ${parts[short]!.length} characters` : `it has ${parts.length} keys`;
    const wanted = `1 to ${MAX_KEYS} keys of at least ${MIN_CHARACTERS} characters with commas between them, the newest first, each for example from openssl rand -hex 32`;
    throw new SecretProblem(`${where} must hold ${wanted}, but ${has}`, true);
  }
  return [Buffer.from(first), ...more.map((part) => Buffer.from(part))];
}
