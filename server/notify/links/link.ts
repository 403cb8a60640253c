/** Links of messages: which alert, whom it was sent to, until when, and a signature. Pure. */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";

export interface AlertLink {
  readonly alertId: number;
  readonly receiver: string;
  /** Seconds since the epoch. */
  readonly expiresS: number;
}

/** Signs links, and knows by its mark which ones it has signed. */
export interface LinkKey {
  /** 4 bytes. */
  readonly mark: Buffer;
  readonly secret: Buffer;
}

const MARK_BYTES = 4;
/** The alert's id and the end. */
const FIXED_BYTES = MARK_BYTES + 8 + 4;
/** 128 bits: nobody guesses them, and the link fits on a button. */
const SIGNATURE_BYTES = 16;
/** So that the key signs nothing else. */
const PURPOSE = "telltale link 1\0";

export function linkKey(secret: Buffer): LinkKey {
  const mark = createHash("sha256").update("telltale link key\0").update(secret).digest().subarray(0, MARK_BYTES);
  return { mark, secret };
}

export function writeLink({ alertId, receiver, expiresS }: AlertLink, key: LinkKey): string {
  const fixed = Buffer.alloc(FIXED_BYTES);
  key.mark.copy(fixed);
  fixed.writeBigUInt64BE(BigInt(alertId), MARK_BYTES);
  fixed.writeUInt32BE(expiresS, MARK_BYTES + 8);
  const signed = Buffer.concat([fixed, Buffer.from(receiver)]);
  return Buffer.concat([signed, signatureOf(signed, key)]).toString("base64url");
}

/** What the link says, also where it has expired; undefined where none of the keys has signed it. */
export function readLink(link: string, keys: readonly LinkKey[]): AlertLink | undefined {
  if (!/^[\w-]+$/.test(link)) return undefined;
  const bytes = Buffer.from(link, "base64url");
  // Another way to write the same bytes is none of ours.
  if (bytes.length < FIXED_BYTES + SIGNATURE_BYTES || bytes.toString("base64url") !== link) return undefined;
  const signed = bytes.subarray(0, -SIGNATURE_BYTES);
  const signature = bytes.subarray(-SIGNATURE_BYTES);
  const key = keys.find(({ mark }) => mark.equals(signed.subarray(0, MARK_BYTES)));
  if (key === undefined || !timingSafeEqual(signatureOf(signed, key), signature)) return undefined;
  return {
    alertId: Number(signed.readBigUInt64BE(MARK_BYTES)),
    expiresS: signed.readUInt32BE(MARK_BYTES + 8),
    receiver: signed.subarray(FIXED_BYTES).toString(),
  };
}

function signatureOf(signed: Buffer, { secret }: LinkKey): Buffer {
  return createHmac("sha256", secret).update(PURPOSE).update(signed).digest().subarray(0, SIGNATURE_BYTES);
}
