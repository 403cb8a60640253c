import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

// "tt_" is there for people and for scanners that look for leaked secrets.
const shape = /^tt_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/;

/** A new token: its public id, and the secret that holds the id and 256 random bits. */
export function newSecret(): { id: string; secret: string } {
  const id = randomBytes(8).toString("hex");
  return { id, secret: `tt_${id}_${randomBytes(32).toString("base64url")}` };
}

/** The public id in a secret of ours; undefined where it is none. */
export function idOf(secret: string): string | undefined {
  return shape.exec(secret)?.[1];
}

export function hashOf(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}

/** Takes the same time wherever the two differ. */
export function sameHash(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}
