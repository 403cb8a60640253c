import { type Environment, text } from "../../environment.ts";
import { StartupError } from "../../errors.ts";
import type { Secret } from "../config/config.ts";
import { pushKey } from "./key.ts";

const KEY = "NOTIFY_PUSH_KEY";
const KEY_FILE = "NOTIFY_PUSH_KEY_FILE";

/** Where the key of web push is; undefined: in the database. */
export function loadPushKey(env: Environment): Secret | undefined {
  const file = text(env, KEY_FILE);
  const given = text(env, KEY);
  if (given !== undefined && file !== undefined) {
    throw new StartupError(`${KEY} and ${KEY_FILE} are both set: set one of them.`);
  }
  if (file !== undefined) return Object.freeze({ file });
  if (given === undefined) return undefined;
  try {
    pushKey(given, KEY);
  } catch (error) {
    throw new StartupError(`${(error as Error).message}.`);
  }
  return Object.freeze({ env: KEY });
}
