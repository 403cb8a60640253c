import { fromBinary } from "@bufbuild/protobuf";
import { LiveReadingsNoticeSchema } from "../../gen/es/telltale/v1/notice_pb.ts";
import type { ScoredReading } from "../../gen/es/telltale/v1/reading_pb.ts";
import { isoTime } from "../lib/time.ts";
import type { Bus } from "./cache.ts";
import { Notices } from "./notices.ts";

/** The documented channel. */
const CHANNEL = "sensor_data_stream";
/**
 * How often it is asked whether somebody listens: what is stored before that is noticed is not published. Redis has no event for a
 * subscription, and to have messages ready for nobody would cost every installation with Redis the making of each.
 */
const LISTEN_MS = 100;
/** Readings a second from one process: more than a person or a script takes in. What is beyond is declared as a gap. */
const MAX_PER_SECOND = 5000;

const text = new TextEncoder();

/** Stored readings as JSON objects on a Redis channel, for clients that already use it; only while somebody listens. */
export class JsonStream {
  readonly #bus: Bus;
  readonly #notices: Notices;
  readonly #timer: NodeJS.Timeout;
  #wanted = false;
  #asking = false;
  #second = 0;
  #sent = 0;
  #missed = 0;

  constructor(bus: Bus) {
    this.#bus = bus;
    this.#notices = new Notices(bus);
    this.#timer = setInterval(() => void this.#listen(), LISTEN_MS);
  }

  async #listen(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    const wanted = (await this.#bus.audience(CHANNEL)) > 0;
    this.#asking = false;
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    this.#notices.setInterest(wanted ? { all: "everything", sensors: [], types: [] } : undefined);
  }

  /** `live`: a LiveReadingsNotice in binary form, of a commit of this process. */
  committed(live: Uint8Array): void {
    if (!this.#wanted) return;
    const notice = fromBinary(LiveReadingsNoticeSchema, live);
    for (const reading of notice.readings) this.#send(reading);
    this.#beginSecond();
    this.#missed += notice.leftOutOfSensors + notice.leftOutOfSelections + notice.leftOutOfEverything;
  }

  #beginSecond(): void {
    const second = Math.floor(performance.now() / 1000);
    if (second === this.#second) return;
    if (this.#missed > 0) this.#publish({ gap: true, missed: this.#missed });
    this.#second = second;
    this.#sent = 0;
    this.#missed = 0;
  }

  #send(reading: ScoredReading): void {
    this.#beginSecond();
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
