import { createHmac } from "node:crypto";

/** Begins a key that is written in base64, as Standard Webhooks writes keys; any other is taken as it stands. */
const BASE64_PREFIX = "whsec_";

export interface Signed {
  /** Of the message: the same in every repetition. */
  readonly id: string;
  /** Seconds since the epoch, when it is sent. */
  readonly timestamp: number;
  readonly body: Buffer;
}

/** Headers by which a receiver knows that we sent it and when, those of Standard Webhooks 1.0: HMAC-SHA256 of `id.timestamp.body`. */
export function signatureHeaders({ id, timestamp, body }: Signed, key: string): Record<string, string> {
  const bytes = key.startsWith(BASE64_PREFIX)
    ? Buffer.from(key.slice(BASE64_PREFIX.length), "base64")
    : Buffer.from(key);
  const mac = createHmac("sha256", bytes).update(`${id}.${timestamp}.`).update(body).digest("base64");
  return { "webhook-id": id, "webhook-timestamp": String(timestamp), "webhook-signature": `v1,${mac}` };
}
