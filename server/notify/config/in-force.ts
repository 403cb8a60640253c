import type { Sql } from "postgres";
import { TelltaleError } from "../../errors.ts";
import type { NotifyConfig } from "./config.ts";
import { parseStoredConfig } from "./parse.ts";
import type { Problem } from "./problem.ts";
import { readConfig, readConfigsBefore, type StoredConfig } from "./store.ts";

/** The configuration that was applied last, and the one by which people are notified. */
export interface InForceConfig {
  readonly stored: StoredConfig;
  /** `stored`, or the last one before it that can be read; undefined: there is none. */
  readonly used: { readonly stored: StoredConfig; readonly config: NotifyConfig } | undefined;
  /** What of `stored` this version cannot read, because another version took it. */
  readonly problems: readonly Problem[];
}

/** What a text comes to. */
interface Found {
  readonly of: string;
  readonly config: NotifyConfig | undefined;
  /** Used in its place. */
  readonly before: InForceConfig["used"];
  readonly problems: readonly Problem[];
}

/** The configuration in force, read as often as it is asked for, and parsed once: a large one takes half a second. */
export class ConfigInForce {
  #last: Found | undefined;

  async read(sql: Sql): Promise<InForceConfig> {
    const stored = await readConfig(sql);
    const of = JSON.stringify([stored.text, stored.templates]);
    const last = this.#last?.of === of ? this.#last : await find(sql, stored, of);
    this.#last = last;
    const { config, before, problems } = last;
    return { stored, problems, used: config === undefined ? before : { stored, config } };
  }

  /** @throws TelltaleError "unavailable" where neither it nor one before it can be read */
  async readable(sql: Sql): Promise<NonNullable<InForceConfig["used"]>> {
    const { stored, used, problems } = await this.read(sql);
    if (used !== undefined) return used;
    throw new TelltaleError("unavailable", unreadableText(stored, problems));
  }
}

async function find(sql: Sql, stored: StoredConfig, of: string): Promise<Found> {
  const { config, problems } = parseStoredConfig(stored.text, stored.templates);
  const before = config === undefined ? await lastBefore(sql, stored) : undefined;
  return { of, config, problems, before };
}

async function lastBefore(sql: Sql, { revision }: StoredConfig): Promise<InForceConfig["used"]> {
  for (const stored of await readConfigsBefore(sql, revision)) {
    const { config } = parseStoredConfig(stored.text, stored.templates);
    if (config !== undefined) return { stored, config };
  }
  return undefined;
}

/** What is wrong with the configuration that was applied last, and where. */
export function unreadableText({ revision }: StoredConfig, [first, ...more]: readonly Problem[]): string {
  const others = more.length === 0 ? "" : ` (and ${more.length} more)`;
  const why = first === undefined ? "" : `: ${problemText(first)}${others}`;
  return `revision ${revision} of the configuration of notifications cannot be read by this version of the program${why}`;
}

export function problemText({ line, column, path, message }: Problem): string {
  return `${line}:${column}${path === "" ? "" : ` ${path}`} ${message}`;
}
