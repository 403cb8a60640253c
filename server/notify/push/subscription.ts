/** A browser, as it asked to be told. */
export interface Subscription {
  readonly id: string;
  /** An address of its push service; a secret, as the keys are. */
  readonly endpoint: string;
  /** Its public key, and a secret that both sides know, in base64url. */
  readonly p256dh: string;
  readonly auth: string;
  /** As its person calls it. */
  readonly label: string;
  /** The name of the caller who made it. */
  readonly caller: string;
  /** It is notified of sensors whose id begins so; empty: of everything. */
  readonly sensorPrefix: string;
  readonly createdUs: number;
  /** When the console was last open in it. */
  readonly renewedUs: number;
  /** When its push service last took a message; undefined: never. */
  readonly successUs: number | undefined;
}
