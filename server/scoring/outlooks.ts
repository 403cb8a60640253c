/**
 * Early alerts: whether a partition's sensors are heading for limits of their settings. A reading costs some additions here; a sensor is
 * looked at by a tick of the log after one of its steps has ended, so that the result does not depend on how the log is cut into batches.
 * Steps end at the same moment for all sensors that look equally far ahead. So each look comes a part of a step later, which follows from the id
 * of the reading that ended the step. How many there are in a tick has no limit of its own: then sensors would change each other's results.
 */
import {
  type Detector,
  type EarlyEnd,
  type Episode,
  type Episodes,
  LIMIT_SIDES,
  type LimitName,
  type LimitsAhead,
  type Transition,
} from "../detect/index.ts";
import { type Approach, approach, BARRED, QUIET } from "../forecast/approach.ts";
import { OUTLOOK_BYTES, Outlook, OutlookMemory } from "../forecast/outlook.ts";
import { DueLooks, shareOf } from "./due-looks.ts";

/** Anomaly score of an early alert, in steps of 1e-4: medium, since nothing is wrong yet. */
const EARLY_SCORE = 6500;
const SETTINGS = Object.keys(LIMIT_SIDES) as LimitName[];
/** Of a saved one: the place of its sensor in the chunk, before its own bytes. */
const PLACE_BYTES = 8;

/** A change of an early alert. */
export interface EarlyChange {
  readonly slot: number;
  readonly episode: Episode;
  readonly transition: Exclude<Transition, "none" | "raised">;
}

/** A sensor's newest reading. */
interface Newest {
  readonly id: number;
  readonly timeUs: number;
  readonly value: number;
}

export class Outlooks {
  readonly #detector: Detector;
  readonly #episodes: Episodes;
  readonly #memory = new OutlookMemory();
  readonly #bySlot = new Map<number, Outlook>();
  readonly #due = new DueLooks();
  /** Slots of which an early alert is open, or was until a person closed it. */
  readonly #heading = new Set<number>();
  readonly #receivedUsOf: (readingId: number) => number;

  /** @param receivedUsOf when the reading with an id arrived, by the log's time */
  constructor(detector: Detector, episodes: Episodes, receivedUsOf: (readingId: number) => number) {
    this.#detector = detector;
    this.#episodes = episodes;
    this.#receivedUsOf = receivedUsOf;
  }

  /** Bytes of a sensor that has limits. */
  readonly bytesPerSensor: number = OUTLOOK_BYTES + PLACE_BYTES;

  /** A reading of a sensor, after the verdict. Answers with the early alerts that it ends. */
  reading(slot: number, timeUs: number, value: number, id: number): readonly EarlyChange[] {
    const limits = this.#detector.limitsAhead(slot);
    if (limits === undefined) return this.#bySlot.size > 0 ? this.#forget(slot, timeUs) : NONE;
    if (this.#detector.isMaintained(slot, timeUs)) return NONE;
    const known = this.#bySlot.get(slot);
    const outlook = known?.aheadUs === limits.earlyAlertUs ? known : this.#begin(slot, limits.earlyAlertUs);
    if (outlook.reading(timeUs, value) && outlook.dueUs === undefined) {
      outlook.askForLook(this.#receivedUsOf(id) + shareOf(id) * outlook.spreadUs);
      this.#due.add(slot, outlook.dueUs!);
    }
    if (value >= limits.rangeMin && value <= limits.rangeMax) return NONE;
    const setting = value > limits.rangeMax ? "range_max" : "range_min";
    this.#setApproach(slot, outlook, setting, BARRED);
    return this.#over(slot, setting, timeUs, "crossed");
  }

  /** Begins anew, as far ahead. Early alerts that are open stay so, and what a person has closed does not open again. */
  #begin(slot: number, aheadUs: number): Outlook {
    const former = this.#bySlot.get(slot);
    const said = SETTINGS.map((setting) => former?.approach(LIMIT_SIDES[setting]) ?? QUIET);
    // What is saved of it is not due either: a replay from there looks when this does.
    this.remove(slot);
    const outlook = Outlook.begun(aheadUs, this.#memory);
    this.#bySlot.set(slot, outlook);
    SETTINGS.forEach((setting, k) => {
      this.#setApproach(slot, outlook, setting, said[k]!);
    });
    return outlook;
  }

  /** The sensor has no limits any more. */
  #forget(slot: number, timeUs: number): readonly EarlyChange[] {
    if (!this.remove(slot)) return NONE;
    return SETTINGS.flatMap((setting) => this.#over(slot, setting, timeUs, "away"));
  }

  #over(slot: number, setting: LimitName, timeUs: number, end: EarlyEnd): readonly EarlyChange[] {
    const transition = this.#episodes.endEarly(slot, setting, timeUs, end);
    if (transition !== "recovered") return NONE;
    return [{ slot, episode: this.#episodes.early(slot, setting)!, transition }];
  }

  /** Nothing is kept of the slot any more; true where something was. */
  remove(slot: number): boolean {
    const outlook = this.#bySlot.get(slot);
    if (outlook === undefined) return false;
    if (outlook.dueUs !== undefined) this.#due.remove(slot, outlook.dueUs);
    this.#heading.delete(slot);
    this.#bySlot.delete(slot);
    outlook.release(this.#memory);
    return true;
  }

  /** Sensors of which something is kept. */
  get size(): number {
    return this.#bySlot.size;
  }

  /** The same of the slots from `first` on, of so many. */
  sizeOf(first: number, slots: number): number {
    let size = 0;
    for (let slot = first; slot < first + slots; slot++) if (this.#bySlot.has(slot)) size++;
    return size;
  }

  #setApproach(slot: number, outlook: Outlook, setting: LimitName, next: Approach): void {
    outlook.setApproach(LIMIT_SIDES[setting], next);
    if (isHeading(outlook)) this.#heading.add(slot);
    else this.#heading.delete(slot);
  }

  /** Slots that a look is due of. `nowUs`: the log's time. */
  due(nowUs: number): readonly number[] {
    return this.#due.at(nowUs, (slot) => this.#bySlot.get(slot)!.dueUs!);
  }

  /** Slots that are heading for a limit. */
  get heading(): readonly number[] {
    return [...this.#heading];
  }

  /**
   * Time has passed for a sensor that is heading for a limit. Where nothing has come of it for two steps, and all of the time in which it
   * should have crossed the limit is over, nobody knows whether it has.
   */
  wait(slot: number, newest: Newest, nowUs: number): readonly EarlyChange[] {
    const outlook = this.#bySlot.get(slot)!;
    if (nowUs - this.#receivedUsOf(newest.id) <= outlook.unheardUs) return NONE;
    return SETTINGS.flatMap((setting) => {
      const episode = this.#episodes.early(slot, setting);
      if (episode?.state !== "open" || nowUs <= endOf(episode, outlook.aheadUs)) return NONE;
      this.#setApproach(slot, outlook, setting, QUIET);
      return this.#over(slot, setting, nowUs, "unheard");
    });
  }

  /** Looks at a sensor. `nowUs`: the log's time. With `isQuiet` nothing opens. */
  look(slot: number, newest: Newest, nowUs: number, isQuiet: boolean): readonly EarlyChange[] {
    const outlook = this.#bySlot.get(slot)!;
    this.#due.remove(slot, outlook.dueUs!);
    outlook.look((timeUs) => this.#detector.seasonal(slot, timeUs));
    const limits = isQuiet || this.#detector.judgesRate(slot) ? undefined : this.#detector.limitsAhead(slot);
    return SETTINGS.flatMap((setting) => this.#lookAt(slot, outlook, { setting, limits, newest, nowUs }));
  }

  #lookAt(
    slot: number,
    outlook: Outlook,
    {
      setting,
      limits,
      newest,
      nowUs,
    }: { setting: LimitName; limits: LimitsAhead | undefined; newest: Newest; nowUs: number },
  ): readonly EarlyChange[] {
    const side = LIMIT_SIDES[setting];
    const value = (setting === "range_max" ? limits?.rangeMax : limits?.rangeMin) ?? Number.NaN;
    const crossing = Number.isFinite(value) ? outlook.crossing({ setting, value }) : undefined;
    const said = outlook.approach(side);
    // A person has closed it: nothing is said again of the same approach.
    const isClosed = said.state === "open" && this.#episodes.early(slot, setting)?.state !== "open";
    const next = approach(isClosed ? BARRED : said, crossing, nowUs);
    this.#setApproach(slot, outlook, setting, next);
    if (next.state !== "open") return this.#over(slot, setting, newest.timeUs, "away");
    if (crossing === undefined) return NONE;
    const { limit, probability, earliestUs, expectedUs = Number.NaN, latestUs = Number.NaN } = crossing;
    const ahead = { setting, limit, probability, earliestUs, expectedUs, latestUs };
    const transition = this.#episodes.heading(slot, ahead, newest, EARLY_SCORE);
    if (transition === "opened" || transition === "continued")
      return [{ slot, episode: this.#episodes.early(slot, setting)!, transition }];
    // There was no reading to name it by: the next look tries again.
    this.#setApproach(slot, outlook, setting, said);
    return NONE;
  }

  /** Those of the slots from `first` on, up to `sensors` of them. */
  save(first: number, sensors: number): Uint8Array {
    // Asked for one by one: of all sensors of a partition a chunk has few.
    const kept = Array.from({ length: sensors }, (_, k) => [first + k, this.#bySlot.get(first + k)] as const).filter(
      (each): each is readonly [number, Outlook] => each[1] !== undefined,
    );
    const bytes = Buffer.alloc(kept.length * this.bytesPerSensor);
    kept.forEach(([slot, outlook], k) => {
      bytes.writeDoubleLE(slot - first, k * this.bytesPerSensor);
      bytes.set(outlook.bytes(), k * this.bytesPerSensor + PLACE_BYTES);
    });
    return bytes;
  }

  load(first: number, saved: Buffer): void {
    for (let at = 0; at < saved.length; at += this.bytesPerSensor) {
      const slot = first + saved.readDoubleLE(at);
      const outlook = Outlook.saved(saved.subarray(at + PLACE_BYTES, at + this.bytesPerSensor), this.#memory);
      this.#bySlot.set(slot, outlook);
      if (outlook.dueUs !== undefined) this.#due.add(slot, outlook.dueUs);
      if (isHeading(outlook)) this.#heading.add(slot);
    }
  }
}

const NONE: readonly EarlyChange[] = [];

function isHeading(outlook: Outlook): boolean {
  return SETTINGS.some((setting) => outlook.approach(LIMIT_SIDES[setting]).state === "open");
}

/** When the sensor should have crossed the limit at the latest. */
function endOf({ limit, lastSeenAtUs }: Episode, aheadUs: number): number {
  const { latestUs = Number.NaN } = limit ?? {};
  return Number.isFinite(latestUs) ? latestUs : lastSeenAtUs + aheadUs;
}
