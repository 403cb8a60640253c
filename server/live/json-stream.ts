import { fromBinary } from "@bufbuild/protobuf";
import type { ScoredReading } from "../../gen/es/telltale/v1/reading_pb.ts";
import { WatchReadingsResponseSchema } from "../../gen/es/telltale/v1/watch_pb.ts";
import type { Bus } from "../cache/cache.ts";
import { isoTime } from "./iso.ts";
import { Notices } from "./notices.ts";

/** The predecessor's channel. */
export const CHANNEL = "sensor_data_stream";
/** How often it is asked whether somebody listens. */
const LISTEN_MS = 2000;
/** Readings a second from one process: more than a person or a script takes in. What is beyond is declared as a gap. */
const MAX_PER_SECOND = 5000;

const text = new TextEncoder();

/** Stored readings as JSON objects on a Redis channel, for those who know it from the predecessor; only while somebody listens. */
export class JsonStream {
  readonly #bus: Bus;
  readonly #notices: Notices;
  readonly #timer: NodeJS.Timeout;
  #wanted = false;
  #second = 0;
  #sent = 0;
  #missed = 0;

  constructor(bus: Bus) {
    this.#bus = bus;
    this.#notices = new Notices(bus);
    this.#timer = setInterval(() => void this.#listen(), LISTEN_MS);
  }

  async #listen(): Promise<void> {
    const wanted = (await this.#bus.audience(CHANNEL)) > 0;
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    this.#notices.setInterest(wanted ? { everything: true, sensors: [], types: [] } : undefined);
  }

  /** `live`: a WatchReadingsResponse in binary form, of a commit of this process. */
  committed(live: Uint8Array): void {
    if (!this.#wanted) return;
    for (const reading of fromBinary(WatchReadingsResponseSchema, live).readings) this.#send(reading);
  }

  #send(reading: ScoredReading): void {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#second) {
      if (this.#missed > 0) this.#publish({ gap: true, missed: this.#missed });
      this.#second = second;
      this.#sent = 0;
      this.#missed = 0;
    }
    if (++this.#sent > MAX_PER_SECOND) this.#missed++;
    else this.#publish(toObject(reading));
  }

  #publish(message: object): void {
    this.#bus.publish(CHANNEL, text.encode(JSON.stringify(message)));
  }

  close(): void {
    clearInterval(this.#timer);
    this.#notices.close();
  }
}

function toObject(r: ScoredReading): object {
  return {
    id: Number(r.id),
    sensor_id: r.sensorId,
    sensor_type: r.sensorType,
    timestamp: isoTime(r.observedAt!),
    value: r.value,
    unit: r.unit,
    location: r.location ?? null,
    is_anomaly: r.isAnomaly,
    anomaly_score: r.anomalyScore,
  };
}
