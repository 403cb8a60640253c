/** Reads a file in Alertmanager's format. Pure: files and variables that it refers to are not looked at. */
import type { TemplateFile } from "../templates/template.ts";
import type { NotifyConfig } from "./config.ts";
import type { Problem } from "./problem.ts";
import { readEscalations } from "./read/escalations.ts";
import { readGlobal } from "./read/global.ts";
import { readHeartbeats, readPings } from "./read/heartbeats.ts";
import { readInhibitRules } from "./read/inhibit.ts";
import { readTimeIntervals } from "./read/intervals.ts";
import { readReceivers } from "./read/receivers.ts";
import { readRoot } from "./read/route.ts";
import { readSchedules } from "./read/schedules.ts";
import { Source, Stop } from "./read/source.ts";
import { readTemplates } from "./read/templates.ts";
import { type Fields, type Known, Value } from "./read/value.ts";
import type { Reference } from "./reference.ts";

export type Parsed =
  | { readonly config: NotifyConfig; readonly references: readonly Reference[] }
  | { readonly problems: readonly Problem[] };

const FILE: Known = {
  of: "the file",
  names: [
    ...["global", "route", "receivers", "inhibit_rules", "time_intervals", "mute_time_intervals", "templates"],
    // Not Alertmanager's.
    ...["schedules", "escalations", "heartbeats", "pings"],
  ],
  later: ["tracing", "event_recorder"],
  instead: "the platform has traces and an audit log of its own; remove it.",
};

/**
 * The configuration of a text, or all that is wrong with it, from its beginning to its end: nothing is taken by halves.
 *
 * @param templates the files that its list of that name fits
 */
export function parseNotifyConfig(text: string, templates: readonly TemplateFile[] = []): Parsed {
  const { config, references, problems } = parseStoredConfig(text, templates);
  return config === undefined || problems.length > 0 ? { problems } : { config, references };
}

/** What there is of a configuration that is in force already. */
export interface StoredParsed {
  /** Without what cannot be read and the rest does not depend on; undefined: it cannot be used. */
  readonly config: NotifyConfig | undefined;
  readonly references: readonly Reference[];
  /** From its beginning to its end. */
  readonly problems: readonly Problem[];
}

/** The configuration of a text that a version of the program has taken, whatever this one would refuse. */
export function parseStoredConfig(text: string, templates: readonly TemplateFile[]): StoredParsed {
  const source = new Source(text);
  const config = readFile(source, templates);
  const { hasProblems, problems, references } = source;
  return { config: hasProblems ? undefined : config, references, problems };
}

function readFile(source: Source, templates: readonly TemplateFile[]): NotifyConfig | undefined {
  const { root } = source;
  try {
    if (root === undefined) {
      if (!source.hasProblems) source.report(0, "", "is empty: write at least route and receivers.");
      return undefined;
    }
    const fields = new Value(source, "", root).fields(FILE);
    if (fields === undefined) return undefined;
    readTemplates(fields.get("templates"), templates, source.templates);
    return readSections(fields);
  } catch (error) {
    if (error instanceof Stop) return undefined;
    throw error;
  }
}

function readSections(fields: Fields): NotifyConfig | undefined {
  const global = readGlobal(fields.get("global"));
  const receivers = readReceivers(fields.get("receivers"), global);
  const timeIntervals = readTimeIntervals([fields.get("time_intervals"), fields.get("mute_time_intervals")]);
  const inhibitRules = readInhibitRules(fields.get("inhibit_rules"));
  const names = { receivers: namesOf(receivers), timeIntervals: namesOf(timeIntervals) };
  const schedules = readSchedules(fields.get("schedules"), names);
  const escalations = readEscalations(fields.get("escalations"), { receivers: names.receivers, schedules });
  const root = fields.required("route");
  const route = root && readRoot(root, { ...names, escalations: namesOf(escalations) });
  const { resolveTimeoutMs } = global;
  const signs = { heartbeats: readHeartbeats(fields.get("heartbeats")), pings: readPings(fields.get("pings")) };
  return route && { route, receivers, inhibitRules, timeIntervals, schedules, escalations, resolveTimeoutMs, ...signs };
}

function namesOf(all: readonly { readonly name: string }[]): Set<string> {
  return new Set(all.map(({ name }) => name));
}
