/** Browsers that are notified of alerts: the port of the channel, kept by PostgreSQL. */
import type { Sql } from "postgres";
import type { Clock } from "../../clock.ts";
import type { Secrets } from "../channels/secrets.ts";
import type { Secret } from "../config/config.ts";
import { type PushKey, readPushKey } from "./key.ts";
import { liveSubscriptions, markDelivered, removeSubscription } from "./store.ts";
import type { Subscription } from "./subscription.ts";

export interface Browsers {
  /** Those that may be told now, of these callers; none named: of all. */
  list(callers: readonly string[]): Promise<readonly Subscription[]>;
  /** @throws SecretProblem where it cannot be had */
  key(secrets: Secrets): Promise<PushKey>;
  /** Its push service has taken a message. */
  delivered(id: string): Promise<void>;
  /** Its push service does not know it any more. */
  remove(id: string): Promise<void>;
}

export interface BrowsersOptions {
  readonly sql: Sql;
  readonly clock: Clock;
  /** Where the environment has the key; undefined: in the database. */
  readonly given: Secret | undefined;
}

export function createBrowsers({ sql, clock, given }: BrowsersOptions): Browsers {
  return {
    list: (callers) => liveSubscriptions(sql, callers, clock.nowUs()),
    key: (secrets) => readPushKey({ sql, clock, given }, secrets),
    delivered: (id) => markDelivered(sql, id, clock.nowUs()),
    remove: (id) => removeSubscription(sql, id),
  };
}
