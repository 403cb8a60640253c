import { isDeepStrictEqual } from "node:util";
import { formatMatcher, type Matcher } from "../../../formats/matchers.ts";
import { type Labels, labelsTest } from "../matching.ts";

/** Keeps notifications of alerts back for a time. Times are microseconds since the epoch. */
export interface Silence {
  readonly id: string;
  readonly matchers: readonly Matcher[];
  /** It reaches only sensors whose id begins so: those of whoever made it. */
  readonly sensorPrefix: string;
  readonly author: string;
  readonly comment: string;
  readonly startsUs: number;
  readonly endsUs: number;
  readonly createdUs: number;
  readonly updatedUs: number;
  /** The receiver that is notified before it ends and what it hid; "": none. */
  readonly tell: string;
  /** How long before. */
  readonly tellBeforeUs: number;
}

/** Finds silences that are in force for labels, among any number of them. */
export class SilenceIndex {
  readonly #silences: readonly { silence: Silence; matches: (labels: Labels) => boolean }[];
  /** Those that match, whenever: labels of an alert are the same object for as long as the alert does not change. */
  readonly #matching = new WeakMap<Labels, readonly Silence[]>();

  constructor(silences: readonly Silence[]) {
    this.#silences = silences.map((silence) => ({ silence, matches: labelsTest(silence.matchers) }));
  }

  find(labels: Labels, nowUs: number): Silence | undefined {
    return this.#of(labels).find((silence) => isInForce(silence, nowUs));
  }

  /** All that are in force for them. */
  all(labels: Labels, nowUs: number): Silence[] {
    return this.#of(labels).filter((silence) => isInForce(silence, nowUs));
  }

  #of(labels: Labels): readonly Silence[] {
    let found = this.#matching.get(labels);
    if (found === undefined) {
      const ofSensor = this.#silences.filter(({ silence }) =>
        (labels.sensor_id ?? "").startsWith(silence.sensorPrefix),
      );
      found = ofSensor.filter(({ matches }) => matches(labels)).map(({ silence }) => silence);
      this.#matching.set(labels, found);
    }
    return found;
  }
}

function isInForce({ startsUs, endsUs }: Silence, nowUs: number): boolean {
  return startsUs <= nowUs && nowUs < endsUs;
}

/**
 * Whether a silence can become another without a change of what it was: of one in force, the start to the second; of one to come, nothing that
 * has been; of one that is over, all.
 */
export function isUpdatable(
  before: Silence,
  after: Pick<Silence, "matchers" | "startsUs" | "endsUs">,
  nowUs: number,
): boolean {
  if (before.endsUs <= nowUs || !isDeepStrictEqual(textsOf(before), textsOf(after))) return false;
  if (nowUs < before.startsUs) return after.startsUs >= nowUs;
  return Math.floor(after.startsUs / 1e6) === Math.floor(before.startsUs / 1e6);
}

function textsOf({ matchers }: Pick<Silence, "matchers">): string[] {
  return matchers.map(formatMatcher);
}
