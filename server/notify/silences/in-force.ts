import type { Sql } from "postgres";
import { SilenceIndex } from "./silence.ts";
import { pendingSilences, silencesVersion } from "./store.ts";

/** Silences that are in force or to come, asked for as often as they are needed, and compiled once: that takes longer than all else. */
export class SilencesInForce {
  #last: { readonly version: number; readonly index: SilenceIndex } | undefined;

  async read(sql: Sql, nowUs: number): Promise<SilenceIndex> {
    const version = await silencesVersion(sql);
    if (this.#last?.version !== version) {
      this.#last = { version, index: new SilenceIndex(await pendingSilences(sql, nowUs)) };
    }
    return this.#last.index;
  }
}
