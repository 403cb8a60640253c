/** Search and matchers as tests of a sensor in the fleet. Each value is looked at once, however many sensors have it. */
import {
  excludes,
  type Matcher,
  MatcherProblem,
  matcherTest,
  parseMatchers,
  valueTest,
} from "../../formats/matchers.ts";
import { TelltaleError } from "../errors.ts";
import { Turns } from "../lib/turns.ts";
import { NAME_NUMBERS, type OwnName, SERIES_NAMES } from "./facts.ts";
import type { Fleet } from "./fleet.ts";
import { STATE_NAMES } from "./state.ts";

export type SensorTest = (slot: number) => boolean;

const SENSOR_ID = "sensor_id";
const STATE = "state";

/** What was found of a fact: it has another name, or is to be looked at, or was. */
const OTHER = 0;
const UNKNOWN = 1;
const FITS = 2;
const DIFFERS = 3;

/** @throws TelltaleError "invalid" that names the matcher */
export function readMatchers(texts: readonly string[]): Matcher[] {
  return texts.flatMap((text, index) => {
    try {
      const matchers = parseMatchers(text);
      for (const matcher of matchers) valueTest(matcher);
      return matchers;
    } catch (error) {
      if (!(error instanceof MatcherProblem)) throw error;
      const violations = [{ field: `matchers[${index}]`, description: error.message }];
      throw new TelltaleError("invalid", `matchers[${index}]: ${error.message}`, { violations });
    }
  });
}

export function matcherFilter(fleet: Fleet, matcher: Matcher, nowUs: number): SensorTest {
  const fits = valueTest(matcher);
  const matches = matcherTest(matcher, fits);
  const wanted = !excludes(matcher);
  const { name } = matcher;
  if (name === SENSOR_ID) return (slot) => fits(fleet.ids[slot]!) === wanted;
  if (name === STATE) {
    const states = STATE_NAMES.map((state) => matches([state]));
    return (slot) => states[fleet.stateOf(slot, nowUs)]!;
  }
  const { facts } = fleet;
  const number = Object.hasOwn(NAME_NUMBERS, name) ? NAME_NUMBERS[name as OwnName] : facts.attributeName(name);
  const without = matches([]);
  if (number === undefined) return () => without;
  return number < SERIES_NAMES
    ? seriesFilter(fleet, number, matches)
    : knownFilter(fleet, { number, fits, wanted, without });
}

/** The same of an attribute, also of one that has a name of ours. */
export function attributeFilter(fleet: Fleet, matcher: Matcher): SensorTest {
  const fits = valueTest(matcher);
  const without = matcherTest(matcher, fits)([]);
  const number = fleet.facts.attributeName(matcher.name);
  if (number === undefined) return () => without;
  return knownFilter(fleet, { number, fits, wanted: !excludes(matcher), without });
}

interface FactTest {
  /** Of the name. */
  readonly number: number;
  readonly fits: (value: string) => boolean;
  readonly wanted: boolean;
  /** The answer for sensors without the name. */
  readonly without: boolean;
}

/** Many sensors have the same list of facts of their series. */
function seriesFilter(
  { facts, seriesLists, seriesList }: Fleet,
  number: number,
  matches: (values: readonly string[]) => boolean,
): SensorTest {
  const answers: (boolean | undefined)[] = [];
  return (slot) => {
    const list = seriesList[slot]!;
    let answer = answers[list];
    if (answer === undefined) {
      const own = seriesLists[list]!.filter((fact) => facts.names[fact] === number);
      answer = matches(own.map((fact) => facts.values[fact]!));
      answers[list] = answer;
    }
    return answer;
  };
}

function knownFilter(fleet: Fleet, { number, fits, wanted, without }: FactTest): SensorTest {
  const { facts } = fleet;
  const found = new Uint8Array(facts.size);
  for (const fact of facts.ofName(number)) found[fact] = UNKNOWN;
  const factFits = (fact: number) => {
    const now = fits(facts.values[fact]!);
    found[fact] = now ? FITS : DIFFERS;
    return now;
  };
  return (slot) => {
    const from = fleet.knownFrom[slot]!;
    const to = from + fleet.knownCount[slot]!;
    let has = false;
    for (let i = from; i < to; i++) {
      const fact = fleet.known[i]!;
      const before = found[fact];
      if (before === OTHER) continue;
      // A fact that came meanwhile is not among those looked at.
      if (before === undefined && facts.names[fact] !== number) continue;
      if (before === FITS || (before !== DIFFERS && factFits(fact))) return wanted;
      has = true;
    }
    return has ? !wanted : without;
  };
}

/** Whether the id, the display name or an attribute's value has the text in it, in any case. */
export async function searchFilter(fleet: Fleet, search: string): Promise<SensorTest> {
  const { facts } = fleet;
  const inId = new Uint8Array(fleet.size);
  const inFact = new Uint8Array(facts.size);
  const turns = new Turns();
  for (const [texts, found] of [
    [fleet.foldedIds, inId],
    [facts.folded, inFact],
  ] as const)
    for (const _ of texts.search(search, found)) if (turns.isLong()) await turns.take();
  let any = 0;
  for (let fact = 0; fact < inFact.length; fact++) {
    const name = facts.names[fact]!;
    if (name !== NAME_NUMBERS.display_name && name <= NAME_NUMBERS.tag) inFact[fact] = 0;
    any |= inFact[fact]!;
  }
  if (any === 0) return (slot) => inId[slot] === 1;
  return (slot) => {
    if (inId[slot] === 1) return true;
    const from = fleet.knownFrom[slot]!;
    const to = from + fleet.knownCount[slot]!;
    for (let i = from; i < to; i++) if (inFact[fleet.known[i]!] === 1) return true;
    return false;
  };
}
