import { TelltaleError } from "../errors.ts";
import type { Entity } from "../ingest/protocols/mqtt/discovery/entity.ts";
import type { Profiles } from "../registry/profiles.ts";

const MAX_DISPLAY_NAME = 200;

/** Gives sensors that nobody has said anything of the names of their entities, one after the other. */
export class EntityNames {
  readonly #profiles: Profiles;
  readonly #onError: (error: unknown) => void;
  #last: Promise<void> = Promise.resolve();

  constructor(profiles: Profiles, onError: (error: unknown) => void) {
    this.#profiles = profiles;
    this.#onError = onError;
  }

  add(entities: readonly Entity[]): void {
    for (const { sensorId, name } of entities) {
      const displayName = [...name]
        .slice(0, MAX_DISPLAY_NAME)
        .join("")
        .replace(/\p{Cc}/gu, " ");
      if (displayName === "") continue;
      this.#last = this.#last.then(() => this.#name(sensorId, displayName)).catch(this.#onError);
    }
  }

  async #name(sensorId: string, displayName: string): Promise<void> {
    // Revision 0: there is no profile yet. What people write stays.
    const change = { sensorId, fields: { displayName }, revision: 0 };
    try {
      await this.#profiles.apply([change], { who: "mqtt discovery", sees: () => true, dryRun: false });
    } catch (error) {
      if (!(error instanceof TelltaleError && error.kind === "conflict")) throw error;
    }
  }
}
