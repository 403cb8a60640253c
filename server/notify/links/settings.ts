import { choice, type Environment, integer, text } from "../../environment.ts";
import { StartupError } from "../../errors.ts";
import { DAY_US } from "../../lib/time.ts";
import type { Secret } from "../config/config.ts";
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
const KEYS_FILE = "NOTIFY_LINK_KEYS_FILE";
/** What is known of an alert is kept with its messages for 30 days. */
const DAYS = { min: 1, max: 30 };

export function loadLinkSettings(env: Environment): LinkSettings {
  const file = text(env, KEYS_FILE);
  const given = text(env, KEYS);
  if (given !== undefined && file !== undefined) {
    throw new StartupError(`${KEYS} and ${KEYS_FILE} are both set: set one of them.`);
  }
  if (given !== undefined) checkKeys(given);
  const keys = given === undefined ? undefined : { env: KEYS };
  return Object.freeze({
    enabled: choice(env, "NOTIFY_LINKS", "on", ["on", "off"]) === "on",
    lifetimeUs: integer(env, "NOTIFY_LINK_DAYS", 7, DAYS) * DAY_US,
    keys: file === undefined ? keys : { file },
  });
}

function checkKeys(given: string): void {
  try {
    linkSecrets(given, KEYS);
  } catch (error) {
    throw new StartupError(`${(error as Error).message}.`);
  }
}
