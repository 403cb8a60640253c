/** What a caller uses, counted in this process (`usage-local.ts`) or over all of an installation (`usage-redis.ts`). */
export interface Usage {
  /** Adds to the count of this second and answers with it. */
  add(key: string, amount: number): Promise<number>;
  /** Takes one of `limit` places until it is given back; undefined where all are taken. Giving back twice is giving back once. */
  enter(who: string, limit: number): Promise<(() => void) | undefined>;
  /**
   * Whether these sensors may be sent: true where all of them are known or there is room for the new ones among `limit`. None is
   * noted where there is not. A sensor that was not sent for `sensorMs` makes room.
   */
  admit(who: string, sensors: Iterable<string>, limit: number): Promise<boolean>;
  /** Rejects with the reason when others' use is not counted in at present. */
  ping(timeoutMs: number): Promise<void>;
  close(): void;
}

/** A second in milliseconds: the window of every rate. */
export const windowMs = 1_000;
/** What counts as one of a caller's sensors: sent within the last day. */
export const sensorMs = 86_400_000;
