import { create, toBinary } from "@bufbuild/protobuf";
import { LiveReadingsNoticeSchema } from "../../gen/es/telltale/v1/notice_pb.ts";
import { TokenBucket } from "../lib/token-bucket.ts";
import type { Committed } from "./commit-of.ts";
import type { Interest } from "./messages.ts";
import { toScored } from "./scored.ts";
import { Shown } from "./shown.ts";

/** By the narrowest watch that asks for a reading; the narrower, the longer it is served while the budget runs out. */
const NOBODY = 0;
const EVERYTHING = 1;
const SELECTION = 2;
const SENSOR = 3;

/** How full the budget must be for each: an unfiltered watch leaves half of it to others. */
const RESERVED = [1, 0.5, 0.25, 0];

type Watched = Pick<Committed, "rows" | "modelVersion">;

/**
 * The readings of commits that somebody watches, as messages, and no more of them a second than the budget: to make a message costs
 * several times what it costs to score a reading, and watching must not slow what is watched.
 */
export class WatchedReadings {
  readonly #budget: TokenBucket;
  readonly #perSecond: number;
  readonly #shown: Shown;
  #all: Interest["all"] = "nothing";
  #sensors: ReadonlySet<string> = new Set();
  #types: ReadonlySet<string> = new Set();
  #wanted = false;

  /** `nowMs`: milliseconds; only differences count. */
  constructor(perSecond: number, nowMs: () => number, shown: Shown = new Shown()) {
    this.#shown = shown;
    this.#perSecond = perSecond;
    this.#budget = new TokenBucket(perSecond, nowMs);
  }

  setInterest(interest: Interest | undefined): void {
    this.#wanted = interest !== undefined;
    this.#all = interest?.all ?? "nothing";
    this.#sensors = new Set(interest?.sensors);
    this.#types = new Set(interest?.types);
  }

  /** A `LiveReadingsNotice` in binary form; undefined where nobody watches any of these readings. */
  of({ rows, modelVersion }: Watched): Uint8Array | undefined {
    if (!this.#wanted) return undefined;
    const there = this.#budget.left;
    const left = RESERVED.map((reserved) => there - reserved * this.#perSecond);
    const leftOut: [number, number, number, number] = [0, 0, 0, 0];
    const readings = [];
    for (let i = 0; i < rows.points.length; i++) {
      const asked = this.#askedBy(rows, i);
      if (asked === NOBODY) continue;
      if (readings.length < left[asked]!) readings.push(toScored(rows, i, modelVersion, this.#shown));
      else leftOut[asked]++;
    }
    this.#budget.use(readings.length);
    const [, leftOutOfEverything, leftOutOfSelections, leftOutOfSensors] = leftOut;
    if (readings.length === 0 && leftOut.every((n) => n === 0)) return undefined;
    const notice = { readings, leftOutOfEverything, leftOutOfSelections, leftOutOfSensors };
    return toBinary(LiveReadingsNoticeSchema, create(LiveReadingsNoticeSchema, notice));
  }

  #askedBy({ series, points }: Watched["rows"], i: number): 0 | 1 | 2 | 3 {
    const { sensorId, sensorType } = series[i]!;
    if (this.#sensors.size > 0 && this.#sensors.has(this.#shown.of(sensorId))) return SENSOR;
    if (this.#types.size > 0 && this.#types.has(sensorType)) return SELECTION;
    if (this.#all === "nothing") return NOBODY;
    if (points.anomaly[i] === 1) return SELECTION;
    return this.#all === "everything" ? EVERYTHING : NOBODY;
  }
}
