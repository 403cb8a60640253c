import type { Sql } from "postgres";
import { type Parsed, parseNotifyConfig } from "./parse.ts";
import { readConfig, type StoredConfig } from "./store.ts";

/** The configuration in force, read as often as it is asked for, and parsed once: a large one takes half a second. */
export class ConfigInForce {
  readonly #sql: Sql;
  #last: { readonly text: string; readonly parsed: Parsed } | undefined;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async read(): Promise<{ readonly stored: StoredConfig; readonly parsed: Parsed }> {
    const stored = await readConfig(this.#sql);
    const { text } = stored;
    if (this.#last?.text !== text) this.#last = { text, parsed: parseNotifyConfig(text) };
    return { stored, parsed: this.#last.parsed };
  }
}
