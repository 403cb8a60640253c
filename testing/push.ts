/** What a browser has when it subscribes to web push, and what it does with a message. */
import { createECDH, randomBytes, randomUUID } from "node:crypto";
import ece from "http_ece";
import type { Secrets } from "../server/notify/channels/secrets.ts";
import type { Secret } from "../server/notify/config/config.ts";
import type { Browsers } from "../server/notify/push/browsers.ts";
import { pushKey } from "../server/notify/push/key.ts";
import type { Subscription } from "../server/notify/push/subscription.ts";

export interface BrowserKeys {
  readonly p256dh: Buffer;
  readonly auth: Buffer;
  /** The text of what was posted for this browser. */
  decrypt(body: Buffer): string;
}

export function browserKeys(): BrowserKeys {
  const privateKey = createECDH("prime256v1");
  const p256dh = privateKey.generateKeys();
  const auth = randomBytes(16);
  const options = { version: "aes128gcm" as const, privateKey, authSecret: auth.toString("base64url") };
  return { p256dh, auth, decrypt: (body) => ece.decrypt(body, options).toString() };
}

export interface KeptBrowsers extends Browsers {
  readonly all: Subscription[];
  readonly taken: string[];
  add(keys: BrowserKeys, given: Pick<Subscription, "endpoint"> & Partial<Subscription>): Subscription;
}

/** Browsers in memory, for the channel alone; PostgreSQL's are tried with the platform. */
export function keptBrowsers(secret: Secret): KeptBrowsers {
  const all: Subscription[] = [];
  const taken: string[] = [];
  return {
    ...{ all, taken },
    add({ p256dh, auth }, given) {
      const times = { createdUs: 0, renewedUs: 0, successUs: undefined };
      const keys = { p256dh: p256dh.toString("base64url"), auth: auth.toString("base64url") };
      const made = { id: randomUUID(), label: "", caller: "ann", sensorPrefix: "", ...times, ...keys, ...given };
      all.push(made);
      return made;
    },
    list: async (callers) => all.filter(({ caller }) => callers.length === 0 || callers.includes(caller)),
    key: async (secrets: Secrets) => pushKey(await secrets.read(secret, "the key of web push"), "PUSH_KEY"),
    delivered: async (id) => void taken.push(id),
    remove: async (id) => void all.splice(0, all.length, ...all.filter((each) => each.id !== id)),
  };
}
