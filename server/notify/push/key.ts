/** The key by which push services know the installation (VAPID, RFC 8292): what the environment names, or one that is kept in the database. */
import { createECDH } from "node:crypto";
import type { Sql } from "postgres";
import type { Clock } from "../../clock.ts";
import { SecretProblem, type Secrets } from "../channels/secrets.ts";
import type { Secret } from "../config/config.ts";
import { type Keeping, keptKey, placeOf } from "../installation-key.ts";

const CURVE = "prime256v1";
const PRIVATE_BYTES = 32;
const KEEPING: Keeping = { table: "web_push_key", column: "private_key", make: newPrivateKey };

/** Both in base64url. */
export interface PushKey {
  /** An uncompressed point: browsers ask for it when they subscribe. */
  readonly publicKey: string;
  readonly privateKey: string;
}

/** @throws SecretProblem where the text is no private key; it is not quoted */
export function pushKey(text: string, where: string): PushKey {
  const bytes = Buffer.from(text, "base64url");
  const wanted = `${where} must hold a private key of P-256 in base64url, as "npx web-push generate-vapid-keys" prints it`;
  if (!/^[\w-]+={0,2}$/.test(text) || bytes.length !== PRIVATE_BYTES)
    throw new SecretProblem(`${wanted}, but holds ${text.length} characters that are none`, false);
  const curve = createECDH(CURVE);
  try {
    curve.setPrivateKey(bytes);
  } catch {
    throw new SecretProblem(`${wanted}, but the number is outside of the curve`, false);
  }
  return { publicKey: curve.getPublicKey("base64url"), privateKey: bytes.toString("base64url") };
}

/** A key that nobody has. */
export function newPrivateKey(): Buffer {
  const curve = createECDH(CURVE);
  curve.generateKeys();
  // Leading zeros are left out.
  return Buffer.concat([Buffer.alloc(PRIVATE_BYTES), curve.getPrivateKey()]).subarray(-PRIVATE_BYTES);
}

/**
 * Read whenever it is needed, so that all processes have the same.
 *
 * @param given by the environment; undefined: in the database
 * @throws SecretProblem where the environment's cannot be had
 */
export async function readPushKey(
  { sql, clock, given }: { readonly sql: Sql; readonly clock: Clock; readonly given: Secret | undefined },
  secrets: Secrets,
): Promise<PushKey> {
  if (given !== undefined) {
    return pushKey(await secrets.read(given, "the key of web push"), placeOf(given));
  }
  const key = pushKey((await keptKey(sql, clock, KEEPING)).toString("base64url"), "the database");
  secrets.hide(key.privateKey);
  return key;
}
