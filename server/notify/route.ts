/** Which routes an alert takes, and with which others it is told: Alertmanager's rules. */
import { formatMatcher } from "../../formats/matchers.ts";
import type { Route } from "./config/config.ts";
import { shortened } from "./config/read/route-key.ts";
import { type Labels, labelOf, labelsTest } from "./matching.ts";

/** Tests of routes, made once for each: compiling expressions is most of the work. */
const tests = new WeakMap<Route, (labels: Labels) => boolean>();

/**
 * The routes that alerts with these labels take, in the tree's order: below a route that matches the first child that does, and those
 * behind it while they `continue`; the route itself where no child matches. The root matches everything, so there is always one.
 */
export function routesOf(root: Route, labels: Labels): Route[] {
  const found: Route[] = [];
  collect(root, labels, found);
  return found;
}

/** Whether the route matches; then it or routes below it are added to `found`. */
function collect(route: Route, labels: Labels, found: Route[]): boolean {
  if (!testOf(route)(labels)) return false;
  const before = found.length;
  for (const child of route.routes) if (collect(child, labels, found) && !child.continue) break;
  if (found.length === before) found.push(route);
  return true;
}

function testOf(route: Route): (labels: Labels) => boolean {
  let test = tests.get(route);
  if (test === undefined) {
    test = labelsTest(route.matchers);
    tests.set(route, test);
  }
  return test;
}

/** A group of a route: what is told in one message. */
export interface GroupOfAlerts {
  /** The same for the same route and labels, after other edits of the tree too; no other group has it. */
  readonly key: string;
  readonly labels: Labels;
}

/** The group to which an alert with these labels belongs in a route that it takes. */
export function groupOf(route: Route, labels: Labels): GroupOfAlerts {
  const names = route.groupBy === "all" ? Object.keys(labels) : route.groupBy;
  const pairs = names
    .map((name) => [name, labelOf(labels, name)] as const)
    .filter(([, value]) => value !== "") // a label that is empty is one that is missing
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const text = pairs.map(([name, value]) => formatMatcher({ name, operator: "=", value })).join(",");
  return { key: shortened(`${route.key}:{${text}}`), labels: Object.fromEntries(pairs) };
}

/** The same as a person reads it. */
export function groupText(route: Route, labels: Labels): string {
  if (route.groupBy.length === 0) return "all alerts of the route";
  const pairs = Object.entries(groupOf(route, labels).labels);
  // A label that is missing is one that the group shares too.
  if (pairs.length === 0) return `alerts without ${route.groupBy === "all" ? "labels" : route.groupBy.join(" and ")}`;
  return pairs.map(([name, value]) => formatMatcher({ name, operator: "=", value })).join(", ");
}

/** All routes of a tree by their place in it. */
export function routesById(root: Route): Map<string, Route> {
  return new Map([[root.id, root], ...root.routes.flatMap((route) => [...routesById(route)])]);
}
