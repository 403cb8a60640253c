import { choice, type Environment, integer } from "../../environment.ts";
import { DAY_US } from "../../lib/time.ts";
import type { Secret } from "../config/config.ts";
import { givenKey } from "../installation-key.ts";
import { linkSecrets } from "./keys.ts";

/** Links by which people act from a message. */
export interface LinkSettings {
  readonly enabled: boolean;
  /** From when a message is queued. */
  readonly lifetimeUs: number;
  /** Where the keys are; undefined: in the database. */
  readonly keys: Secret | undefined;
}

const KEYS = "NOTIFY_LINK_KEYS";
/** What is known of an alert is kept with its messages for 30 days. */
const DAYS = { min: 1, max: 30 };

export function loadLinkSettings(env: Environment): LinkSettings {
  return Object.freeze({
    enabled: choice(env, "NOTIFY_LINKS", "on", ["on", "off"]) === "on",
    lifetimeUs: integer(env, "NOTIFY_LINK_DAYS", 7, DAYS) * DAY_US,
    keys: givenKey(env, KEYS, (text) => linkSecrets(text, KEYS)),
  });
}
