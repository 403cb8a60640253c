import type { Sql } from "postgres";
import { TelltaleError } from "../../errors.ts";
import type { NotifyConfig } from "./config.ts";
import { type Parsed, parseNotifyConfig } from "./parse.ts";
import { readConfig, type StoredConfig } from "./store.ts";

/** The configuration in force, read as often as it is asked for, and parsed once: a large one takes half a second. */
export class ConfigInForce {
  #last: { readonly of: string; readonly parsed: Parsed } | undefined;

  /** Problems: a newer version has to read it. */
  async read(sql: Sql): Promise<{ readonly stored: StoredConfig; readonly parsed: Parsed }> {
    const stored = await readConfig(sql);
    const { text, templates } = stored;
    const of = JSON.stringify([text, templates]);
    if (this.#last?.of !== of) this.#last = { of, parsed: parseNotifyConfig(text, templates) };
    return { stored, parsed: this.#last.parsed };
  }

  /** @throws TelltaleError "unavailable" where a newer version has to read it */
  async readable(sql: Sql): Promise<{ readonly stored: StoredConfig; readonly config: NotifyConfig }> {
    const { stored, parsed } = await this.read(sql);
    if ("config" in parsed) return { stored, config: parsed.config };
    const what = `revision ${stored.revision} of the configuration of notifications`;
    throw new TelltaleError("unavailable", `${what} is of a newer version of this program`);
  }
}
