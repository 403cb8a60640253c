import type { WatchReadingsRequest } from "../../gen/es/telltale/v1/watch_pb.ts";
import type { Interest } from "../scoring/messages.ts";

type Tell = (interest: Interest | undefined) => Promise<void>;

/**
 * Tells the scorers what they must make messages of, for all watches together. To tell them costs as much as there are watches: they are
 * told only what is new to them, and once for all watches that open and close in the same turn of the event loop.
 */
export class WatchInterest {
  readonly #tell: Tell;
  readonly #watches = new Set<WatchReadingsRequest>();
  /** Undefined where what they know is not certain. */
  #told: string | undefined = JSON.stringify({});
  #telling: Promise<void> | undefined;

  constructor(tell: Tell) {
    this.#tell = tell;
  }

  /** Resolves when readings from now on reach the watch. */
  add(watch: WatchReadingsRequest): Promise<void> {
    this.#watches.add(watch);
    return this.#changed();
  }

  remove(watch: WatchReadingsRequest): Promise<void> {
    this.#watches.delete(watch);
    return this.#changed();
  }

  #changed(): Promise<void> {
    this.#telling ??= new Promise((resolve) => setImmediate(resolve)).then(() => {
      this.#telling = undefined;
      return this.#tellWhatIsNew();
    });
    return this.#telling;
  }

  async #tellWhatIsNew(): Promise<void> {
    const interest = interestOf(this.#watches);
    const text = JSON.stringify({ interest });
    if (text === this.#told) return;
    this.#told = text;
    try {
      await this.#tell(interest);
    } catch (error) {
      this.#told = undefined;
      throw error;
    }
  }
}

function interestOf(watches: ReadonlySet<WatchReadingsRequest>): Interest | undefined {
  if (watches.size === 0) return undefined;
  const list = [...watches];
  const ofAll = list.filter((w) => w.sensorId === "" && w.sensorType === "");
  const all = ofAll.some((w) => !w.anomaliesOnly) ? "everything" : "anomalies";
  const types = list.flatMap((w) => (w.sensorId === "" && w.sensorType !== "" ? [w.sensorType] : []));
  return {
    all: ofAll.length === 0 ? "nothing" : all,
    sensors: [...new Set(list.flatMap((w) => (w.sensorId === "" ? [] : [w.sensorId])))].sort(),
    types: [...new Set(types)].sort(),
  };
}
