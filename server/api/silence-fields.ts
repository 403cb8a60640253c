/** What of a silence can be taken, and what is wrong with the others. */

import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { expressionSize, type Matcher, MatcherProblem } from "../../formats/matchers.ts";
import type { LabelMatcher } from "../../gen/es/telltale/v1/notification_pb.ts";
import { fromLabelMatcher } from "../lib/label-matcher.ts";
import { DAY_US, toMicros } from "../lib/time.ts";
import { type Labels, labelsTest } from "../notify/matching.ts";
import { anonymous, type Principal } from "../security/principal.ts";
import { invalid } from "./query.ts";

const MAX_AHEAD_US = 30 * DAY_US;
const MAX_LENGTH_US = 366 * DAY_US;

/**
 * Instructions of a silence's expressions together: every alert is held against them. A usual one has some twenty, and a value of a thousand
 * characters without repetitions as many as characters.
 */
const MAX_INSTRUCTIONS = 1_200;

export interface SilenceFields {
  readonly matchers: readonly Matcher[];
  readonly matches: (labels: Labels) => boolean;
  readonly startsUs: number;
  readonly endsUs: number;
}

interface Given {
  readonly matchers: readonly LabelMatcher[];
  readonly startsAt?: Timestamp | undefined;
  readonly endsAt?: Timestamp | undefined;
  /** 0: there is `endsAt`. */
  readonly durationSeconds?: number;
}

/** @throws TelltaleError "invalid" that names the field */
export function silenceFields(given: Given, nowUs: number): SilenceFields {
  const matchers = given.matchers.map(fromLabelMatcher);
  const matches = testOf(matchers);
  const startsUs = given.startsAt === undefined ? nowUs : startOf(given.startsAt, nowUs);
  return { matchers, matches, startsUs, endsUs: endOf(given, startsUs, nowUs) };
}

/** Who made it: whoever calls. Where nobody has to say who they are, their word is as good as none. */
export function authorOf({ name }: Principal, said: string): string {
  return name === anonymous.name && said !== "" ? said : name;
}

/**
 * A test of labels, for silences and filters.
 *
 * @throws TelltaleError "invalid" where an expression is none, or they are too large
 */
export function matchersTest(matchers: readonly Matcher[]): (labels: Labels) => boolean {
  try {
    const instructions = matchers.reduce((sum, matcher) => sum + expressionSize(matcher), 0);
    if (instructions > MAX_INSTRUCTIONS) {
      const why = `the expressions have ${instructions} instructions together, more than ${MAX_INSTRUCTIONS}`;
      throw invalid("matchers", `${why}: write fewer repetitions such as {1,100}, or fewer matchers at once`);
    }
    return labelsTest(matchers);
  } catch (error) {
    if (error instanceof MatcherProblem) throw invalid("matchers", error.message);
    throw error;
  }
}

/** @throws TelltaleError "invalid" also where everything would match */
function testOf(matchers: readonly Matcher[]): (labels: Labels) => boolean {
  const test = matchersTest(matchers);
  if (matchers.every((matcher) => labelsTest([matcher])({}))) {
    throw invalid("matchers", "each of them matches a label that is not there, so that everything would be silent");
  }
  return test;
}

function startOf(startsAt: Timestamp, nowUs: number): number {
  const us = toMicros(startsAt);
  if (us <= nowUs + MAX_AHEAD_US) return us;
  throw invalid("starts_at", "must be a time at most 30 days ahead");
}

function endOf({ endsAt, durationSeconds = 0 }: Given, startsUs: number, nowUs: number): number {
  const field = endsAt === undefined ? "duration_seconds" : "ends_at";
  if ((endsAt === undefined) === (durationSeconds === 0)) {
    throw invalid("duration_seconds", "must be at least 1, or ends_at be given in its place");
  }
  const endsUs = endsAt === undefined ? startsUs + durationSeconds * 1e6 : toMicros(endsAt);
  if (!(endsUs > startsUs)) throw invalid(field, "the start must be before the end");
  if (endsUs - startsUs > MAX_LENGTH_US) throw invalid(field, "must be at most 366 days after the start");
  if (endsUs > nowUs) return endsUs;
  const ended = new Date(endsUs / 1_000).toISOString();
  throw invalid(field, `it would have ended at ${ended}: give a ${endsAt === undefined ? "longer one" : "later time"}`);
}
