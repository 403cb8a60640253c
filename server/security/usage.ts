export type Admission = "all" | "some";

/** What a caller uses, counted in this process (`usage-local.ts`) or over all of an installation (`usage-redis.ts`). */
export interface Usage {
  /** Adds to the count of this second and answers with it. */
  add(key: string, amount: number): Promise<number>;
  /** Takes one of `limit` places until it is given back; undefined where all are taken. Giving back twice is giving back once. */
  enter(who: string, limit: number): Promise<(() => void) | undefined>;
  /**
   * Notes sensors as sent, and answers with those for which there is no room among `limit`. "all" of them are noted or none, or "some":
   * the known ones, and new ones in their order while there is room. A sensor that was not sent for `sensorMs` makes room.
   */
  admit(who: string, sensors: Iterable<string>, limit: number, how: Admission): Promise<ReadonlySet<string>>;
  /** Rejects with the reason when others' use is not counted in at present. */
  ping(timeoutMs: number): Promise<void>;
  close(): void;
}

/** A second in milliseconds: the window of every rate. */
export const windowMs = 1_000;
/** What counts as one of a caller's sensors: sent within the last day. */
export const sensorMs = 86_400_000;
