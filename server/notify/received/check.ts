/** What of an alert can be taken, and what is wrong with the others. Words are Alertmanager's where it has some. Pure. */

import { quoted } from "../../lib/quoted.ts";
import type { Labels } from "../matching.ts";
import {
  MAX_RECEIVED_ANNOTATION,
  MAX_RECEIVED_BYTES,
  MAX_RECEIVED_LABELS,
  MAX_RECEIVED_NAME,
  MAX_RECEIVED_VALUE,
} from "./limits.ts";
import type { SentAlert } from "./received-alert.ts";

/** Microseconds since the epoch: what JavaScript's dates and PostgreSQL's numbers hold, and what no clock shows. The year 2200. */
const MAX_TIME_US = Date.UTC(2200, 0, 1) * 1_000;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
const CONTROL = /[\0-\x1f\x7f]/;

/** As it came; times that are undefined were not sent. */
export interface GivenAlert {
  readonly labels: Labels;
  readonly annotations: Readonly<Record<string, string>>;
  readonly generatorUrl: string;
  readonly startsUs: number | undefined;
  readonly endsUs: number | undefined;
}

export type CheckedAlert = { readonly alert: SentAlert } | { readonly problem: string };

/** The alert with what was left out filled in, or what is wrong with it. */
export function checkAlert(
  given: GivenAlert,
  { nowUs, resolveTimeoutMs }: { nowUs: number; resolveTimeoutMs: number },
): CheckedAlert {
  const labels = Object.fromEntries(Object.entries(given.labels).filter(([, value]) => value !== ""));
  const { annotations, generatorUrl } = given;
  const isTimeout = given.endsUs === undefined;
  const endsUs = given.endsUs ?? nowUs + resolveTimeoutMs * 1_000;
  const startsUs = given.startsUs ?? Math.min(nowUs, endsUs);
  const problem =
    labelsProblem(labels) ??
    textsProblem(annotations, "annotations", MAX_RECEIVED_ANNOTATION) ??
    urlProblem(generatorUrl) ??
    sizeProblem({ labels, annotations, generatorUrl }) ??
    timeProblem(startsUs, endsUs);
  if (problem !== undefined) return { problem };
  return { alert: { labels, annotations, generatorUrl, startsUs, endsUs, isTimeout } };
}

function labelsProblem(labels: Labels): string | undefined {
  if (Object.keys(labels).length === 0) return "at least one label pair required";
  return textsProblem(labels, "label set", MAX_RECEIVED_VALUE);
}

function textsProblem(texts: Readonly<Record<string, string>>, what: string, most: number): string | undefined {
  const entries = Object.entries(texts);
  if (entries.length > MAX_RECEIVED_LABELS)
    return `invalid ${what}: it has ${entries.length} names, more than ${MAX_RECEIVED_LABELS}`;
  for (const [name, value] of entries) {
    if (name === "" || CONTROL.test(name) || !name.isWellFormed())
      return `invalid ${what}: invalid name ${quoted(name)}`;
    if (name.length > MAX_RECEIVED_NAME)
      return `invalid ${what}: the name ${quoted(name)} has more than ${MAX_RECEIVED_NAME} characters`;
    if (value.includes("\0") || !value.isWellFormed())
      return `invalid ${what}: invalid value ${quoted(value)} of ${quoted(name)}`;
    if (value.length > most)
      return `invalid ${what}: the value of ${quoted(name)} has ${value.length} characters, more than ${most}`;
  }
  return undefined;
}

function urlProblem(url: string): string | undefined {
  return url === "" || (URL.canParse(url) && !CONTROL.test(url)) || url.startsWith("/")
    ? undefined
    : `invalid generatorURL ${quoted(url)}: it is no URL`;
}

function sizeProblem(alert: Pick<SentAlert, "labels" | "annotations" | "generatorUrl">): string | undefined {
  const bytes = Buffer.byteLength(JSON.stringify(alert));
  if (bytes <= MAX_RECEIVED_BYTES) return undefined;
  return `labels, annotations and generatorURL have ${bytes} bytes together, more than ${MAX_RECEIVED_BYTES}`;
}

function timeProblem(startsUs: number, endsUs: number): string | undefined {
  for (const us of [startsUs, endsUs]) {
    if (!(us >= 0 && us <= MAX_TIME_US)) return "start and end must be times from 1970 to 2200";
  }
  return endsUs < startsUs ? "start time must be before end time" : undefined;
}
