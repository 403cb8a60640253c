import type { Environment } from "../../environment.ts";
import type { Secret } from "../config/config.ts";
import { givenKey } from "../installation-key.ts";
import { pushKey } from "./key.ts";

const KEY = "NOTIFY_PUSH_KEY";

/** Where the key of web push is; undefined: in the database. */
export function loadPushKey(env: Environment): Secret | undefined {
  return givenKey(env, KEY, (text) => pushKey(text, KEY));
}
