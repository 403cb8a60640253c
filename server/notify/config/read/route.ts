import type { Route } from "../config.ts";
import { MAX_ROUTE_DEPTH, MAX_ROUTE_LABEL, MAX_ROUTE_LABELS, MAX_ROUTES } from "../limits.ts";
import { readDuration } from "./duration.ts";
import { readMatchers } from "./matchers.ts";
import { readReference, readReferences } from "./reference.ts";
import { childKeys, ROOT_KEY } from "./route-key.ts";
import { Stop } from "./source.ts";
import type { Fields, Known, Value } from "./value.ts";

const ROUTE: Known = {
  of: "a route",
  names: [
    ...["receiver", "group_by", "group_wait", "group_interval", "repeat_interval", "match", "match_re", "matchers"],
    ...["mute_time_intervals", "active_time_intervals", "continue", "routes", "escalation", "labels"],
  ],
};
const MATCHERS = { list: "matchers", equal: "match", regex: "match_re" };
const ALL_LABELS = "...";
/** On a route below one with an escalation. */
const NO_ESCALATION = "none";

/** Alertmanager's defaults. */
const DEFAULTS = {
  receiver: "",
  groupBy: [],
  groupWaitMs: 30_000,
  groupIntervalMs: 300_000,
  repeatIntervalMs: 14_400_000,
  escalation: "",
  labels: {},
} as const satisfies Inherited;

/** What a route has of the one above it where it does not say. (Its time intervals it has not: as with Alertmanager.) */
type Inherited = Pick<
  Route,
  "receiver" | "groupBy" | "groupWaitMs" | "groupIntervalMs" | "repeatIntervalMs" | "escalation" | "labels"
>;

/** Names that routes may use. */
interface Defined {
  readonly receivers: ReadonlySet<string>;
  readonly timeIntervals: ReadonlySet<string>;
  readonly escalations: ReadonlySet<string>;
}

export function readRoot(value: Value, defined: Defined): Route | undefined {
  const fields = value.fields(ROUTE);
  if (fields === undefined) return undefined;
  fields.required("receiver");
  for (const name of ["match", "match_re", "matchers"])
    fields.get(name)?.problem("is on the root, which every alert matches: put it on a route below.");
  for (const name of ["mute_time_intervals", "active_time_intervals"])
    fields.get(name)?.problem("is on the root, which is never muted: put it on a route below.");
  const goesOn = fields.get("continue");
  if (goesOn?.flag() === true) goesOn.problem("is on the root, which has no route behind it: remove it.");
  const reader = new RouteReader(defined);
  return reader.read(fields, { id: "0", key: ROOT_KEY, depth: 1, inherited: DEFAULTS });
}

interface Place {
  readonly id: string;
  readonly key: string;
  /** From 1. */
  readonly depth: number;
  readonly inherited: Inherited;
}

class RouteReader {
  readonly #defined: Defined;
  #routes = 0;

  constructor(defined: Defined) {
    this.#defined = defined;
  }

  read(fields: Fields, { id, key, depth, inherited }: Place): Route {
    this.#bound(fields, depth);
    const labels = readLabels(fields.get("labels"), inherited.labels);
    const own = { ...inherited, ...this.#settings(fields), labels };
    const children = (fields.get("routes")?.items(MAX_ROUTES) ?? []).map((item) => item.fields(ROUTE));
    const below = children.filter((child) => child !== undefined);
    const matchers = below.map((child) => readMatchers(child, MATCHERS));
    const keys = childKeys(key, matchers);
    return {
      id,
      key,
      ...own,
      matchers: [],
      muteTimeIntervals: this.#intervals(fields.get("mute_time_intervals")),
      activeTimeIntervals: this.#intervals(fields.get("active_time_intervals")),
      continue: fields.get("continue")?.flag() ?? false,
      routes: below.map((child, i) => ({
        ...this.read(child, { id: `${id}/${i}`, key: keys[i]!, depth: depth + 1, inherited: own }),
        matchers: matchers[i]!,
      })),
    };
  }

  #bound({ at }: Fields, depth: number): void {
    if (depth > MAX_ROUTE_DEPTH) at.problem(`is deeper than ${MAX_ROUTE_DEPTH} levels: put it further up.`);
    else if (++this.#routes > MAX_ROUTES) at.problem(`is past ${MAX_ROUTES} routes: take some out.`);
    else return;
    // What aliases nest in themselves has no end.
    throw new Stop();
  }

  #settings(fields: Fields): Partial<Inherited> {
    const receiver = this.#receiver(fields.get("receiver"));
    const escalation = this.#escalation(fields.get("escalation"));
    const groupBy = readGroupBy(fields.get("group_by"));
    const wait = fields.get("group_wait");
    const interval = fields.get("group_interval");
    const repeat = fields.get("repeat_interval");
    const groupWaitMs = wait && readDuration(wait);
    const groupIntervalMs = interval && readDuration(interval, { isPositive: true });
    const repeatIntervalMs = repeat && readDuration(repeat, { isPositive: true });
    return {
      ...(receiver !== undefined && { receiver }),
      ...(escalation !== undefined && { escalation }),
      ...(groupBy !== undefined && { groupBy }),
      ...(groupWaitMs !== undefined && { groupWaitMs }),
      ...(groupIntervalMs !== undefined && { groupIntervalMs }),
      ...(repeatIntervalMs !== undefined && { repeatIntervalMs }),
    };
  }

  #receiver(value: Value | undefined): string | undefined {
    return readReference(value, { kind: "receiver", names: this.#defined.receivers, list: "receivers" });
  }

  #escalation(value: Value | undefined): string | undefined {
    if (value?.name() === NO_ESCALATION) return "";
    return readReference(value, { kind: "escalation", names: this.#defined.escalations, list: "escalations" });
  }

  #intervals(value: Value | undefined): string[] {
    return readReferences(value, { kind: "time interval", names: this.#defined.timeIntervals, list: "time_intervals" });
  }
}

/** With those of the routes above, where it does not replace them. */
function readLabels(value: Value | undefined, above: Route["labels"]): Route["labels"] {
  if (value === undefined) return above;
  const options = { mode: "text", most: MAX_ROUTE_LABEL, isWhole: false } as const;
  const own = value.entries(MAX_ROUTE_LABELS).map(([name, each]) => [name, each.templated(options) ?? ""] as const);
  const all = { ...above, ...Object.fromEntries(own) };
  const count = Object.keys(all).length;
  if (count > MAX_ROUTE_LABELS)
    value.problem(`makes ${count} with those of the routes above: at most ${MAX_ROUTE_LABELS} are taken.`);
  return all;
}

function readGroupBy(value: Value | undefined): Route["groupBy"] | undefined {
  if (value === undefined) return undefined;
  const names = [...value.names("the label").keys()];
  if (!names.includes(ALL_LABELS)) return names;
  if (names.length > 1) value.problem('has "..." and other labels: "..." is all of them, so keep one or the other.');
  return "all";
}
