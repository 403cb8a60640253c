/**
 * The cookie of a signed-in browser. It contains the token, sealed: the page cannot read it (HttpOnly), the browser's owner finds nothing of
 * use in its store, and any gateway that has the same secret opens it. The services keep the session's id alone.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";

export const COOKIE = "telltale-session";

export interface Session {
  /** By which the platform ends it before its time. */
  readonly id: string;
  readonly token: string;
  /** Wall clock. */
  readonly begunMs: number;
  readonly usedMs: number;
}

export interface SessionTimes {
  /** A session ends after so long without a call. */
  readonly idleMs: number;
  /** And after so long in any case. */
  readonly absoluteMs: number;
}

const CIPHER = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export class Sealer {
  readonly #key: Uint8Array;

  /**
   * @param secret shared by all gateways; absent: of this process alone, so that sessions end with it
   * @param purpose what is sealed for one purpose is nothing for another
   */
  constructor(secret?: string, purpose = "telltale console session") {
    this.#key = new Uint8Array(hkdfSync("sha256", secret ?? randomBytes(32), "", purpose, 32));
  }

  seal(session: object): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.#key, nonce);
    const sealed = Buffer.concat([cipher.update(JSON.stringify(session), "utf8"), cipher.final()]);
    return Buffer.concat([nonce, sealed, cipher.getAuthTag()]).toString("base64url");
  }

  /** Undefined for what was not sealed with this secret. */
  open<T = Session>(text: string): T | undefined {
    const bytes = Buffer.from(text, "base64url");
    if (bytes.length <= NONCE_BYTES + TAG_BYTES) return undefined;
    const opener = createDecipheriv(CIPHER, this.#key, bytes.subarray(0, NONCE_BYTES));
    opener.setAuthTag(bytes.subarray(-TAG_BYTES));
    try {
      const parts = [opener.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), opener.final()];
      return JSON.parse(Buffer.concat(parts).toString("utf8")) as T;
    } catch {
      return undefined; // forged, or of another secret: nobody's session
    }
  }
}

export function isOver({ begunMs, usedMs }: Session, { idleMs, absoluteMs }: SessionTimes, nowMs: number): boolean {
  return nowMs - usedMs >= idleMs || nowMs - begunMs >= absoluteMs;
}

/** The value of one cookie of a request. */
export function cookieOf(header: string | undefined, name: string): string | undefined {
  for (const part of (header ?? "").split(";")) {
    const at = part.indexOf("=");
    if (at > 0 && part.slice(0, at).trim() === name) return part.slice(at + 1).trim();
  }
  return undefined;
}

/** @param maxAgeMs 0 removes it */
export function setCookie(value: string, maxAgeMs: number, secure: boolean): string {
  const parts = [
    `${COOKIE}=${value}`,
    "Path=/",
    `Max-Age=${Math.ceil(maxAgeMs / 1_000)}`,
    "HttpOnly",
    "SameSite=Strict",
  ];
  return [...parts, ...(secure ? ["Secure"] : [])].join("; ");
}
