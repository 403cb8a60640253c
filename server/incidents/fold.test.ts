import { describe, expect, test } from "vitest";
import { IncidentReasonKind } from "../../gen/es/telltale/v1/incident_pb.ts";
import { Severity } from "../../gen/es/telltale/v1/reading_pb.ts";
import { AlertHistory } from "../../testing/alert-events.ts";
import { HOUR_US, MINUTE_US } from "../lib/time.ts";
import { fold } from "./fold.ts";
import { type Facts, inputOf, NO_FACTS } from "./input.ts";
import type { Incident, Member } from "./model.ts";
import type { IncidentSettings } from "./settings.ts";
import { State } from "./state.ts";

const SETTINGS: IncidentSettings = {
  windowUs: 5 * MINUTE_US,
  attributes: ["gateway"],
  floodAlerts: 10,
  floodWindowUs: 10 * MINUTE_US,
  maxAgeUs: 24 * HOUR_US,
};

/** Folds the history; what the registry says of a sensor by the sensor. */
function folded(
  history: AlertHistory,
  facts: Readonly<Record<string, Partial<Facts>>> = {},
  state: State = new State(),
): State {
  for (const [i, event] of history.events.entries()) {
    const { sensorId } = event.alert!;
    fold(state, inputOf(i + 1, event, { ...NO_FACTS, ...facts[sensorId] }), SETTINGS);
  }
  return state;
}

/** The ids of alerts that are together, incidents by their ids. */
function groups(state: State): number[][] {
  return [...state.incidents.values()]
    .sort((x, y) => x.id - y.id)
    .map(({ members }) => members.map(({ alertId }) => alertId).sort((x, y) => x - y));
}

function only(state: State): Incident {
  expect(state.incidents.size).toBe(1);
  return [...state.incidents.values()][0]!;
}

function reasonOf(state: State, alertId: number): Member["reason"] {
  return state.members.get(alertId)!.reason;
}

const asset = (path: string) => ({ asset: path });
const gateway = (name: string) => ({ attributes: { gateway: name } });

describe("what belongs together", () => {
  test("an alert that nothing relates to another is an incident of its own", () => {
    const history = new AlertHistory();
    history.open("a", 0);
    history.open("b", 1);
    expect(groups(folded(history))).toEqual([[1], [2]]);
  });

  test("alerts of sensors of one asset within the window are one incident, and each says why", () => {
    const history = new AlertHistory();
    history.open("a", 0);
    history.open("b", 4);
    const state = folded(history, { a: asset("site/line-3/press"), b: asset("site/line-3/press") });
    expect(groups(state)).toEqual([[1, 2]]);
    expect(reasonOf(state, 1)).toEqual({ kind: IncidentReasonKind.FIRST });
    expect(reasonOf(state, 2)).toEqual({
      ...{ kind: IncidentReasonKind.ASSET, key: "asset", value: "site/line-3/press" },
      ...{ otherAlert: 1, otherSensor: "a" },
    });
  });

  test("neighbours below one parent are related, but not all sensors of a site", () => {
    const history = new AlertHistory();
    for (const sensor of ["motor", "bearing", "oven"]) history.open(sensor, 0);
    const state = folded(history, {
      ...{ motor: asset("site/press/motor"), bearing: asset("site/press/bearing"), oven: asset("site/oven") },
    });
    expect(groups(state)).toEqual([[1, 2], [3]]);
  });

  test("a shared value counts of those attributes that were named, and an empty one never", () => {
    const history = new AlertHistory();
    for (const sensor of ["a", "b", "c", "d", "e"]) history.open(sensor, 0);
    const other = { attributes: { maker: "x" } };
    const state = folded(history, { a: gateway("7"), b: gateway("7"), c: gateway(""), d: other, e: other });
    expect(groups(state)).toEqual([[1, 2], [3], [4], [5]]);
    expect(reasonOf(state, 2)).toMatchObject({ kind: IncidentReasonKind.ATTRIBUTE, key: "gateway", value: "7" });
  });

  test("an alert joins while another one of its asset is open, however long, and not when that is over for longer than the window", () => {
    const history = new AlertHistory();
    history.open("a", 0);
    history.open("b", 90);
    history.close(1, 100);
    history.close(2, 100);
    history.open("a", 104);
    history.close(3, 105);
    history.open("a", 111);
    const press = asset("site/line/press");
    expect(groups(folded(history, { a: press, b: press }))).toEqual([[1, 2, 3], [4]]);
  });

  test("an alert that comes late by event time joins what was within the window after it, and is the origin then", () => {
    const history = new AlertHistory();
    history.open("a", 10);
    history.open("b", 7);
    history.open("a", -60);
    const press = asset("site/line/press");
    const state = folded(history, { a: press, b: press });
    expect(groups(state)).toEqual([[1, 2], [3]]);
    const [incident] = state.incidents.values();
    expect(incident).toMatchObject({ id: 1, origin: { alertId: 2 } });
  });

  test("an incident takes no alert more than its greatest age after its first", () => {
    const history = new AlertHistory();
    history.open("a", 0);
    history.open("b", 24 * 60);
    history.open("c", 24 * 60 + 1);
    const press = asset("site/line/press");
    expect(groups(folded(history, { a: press, b: press, c: press }))).toEqual([[1, 2], [3]]);
  });
});

describe("what an incident says", () => {
  test("it is open while any alert in it is; worst, acknowledged and closed follow the alerts", () => {
    const history = new AlertHistory();
    history.open("a", 0, Severity.LOW);
    history.open("b", 1, Severity.MEDIUM);
    history.raise(1, Severity.CRITICAL);
    history.acknowledge(2);
    history.close(1, 3);
    const line = { a: gateway("7"), b: gateway("7") };
    expect(only(folded(history, line))).toMatchObject({
      open: 1,
      acknowledged: 1,
      worst: { alertId: 1 },
      closedUs: expect.any(Number),
    });
    history.close(2, 9);
    const over = only(folded(history, line));
    expect(over.open).toBe(0);
    expect(over.closedUs! - over.origin.openedUs).toBe(9 * MINUTE_US);
  });

  test("two incidents that an alert connects become one under the older id, and the alert is the reason", () => {
    const history = new AlertHistory();
    history.open("a", 2);
    history.open("b", 1);
    history.open("both", 3);
    const state = folded(history, { a: gateway("7"), b: asset("x/y/z"), both: { ...gateway("7"), ...asset("x/y/z") } });
    expect(only(state)).toMatchObject({ id: 1, open: 3, origin: { alertId: 2 } });
    expect(state.members.get(2)).toMatchObject({
      firstIncidentId: 2,
      reason: { kind: IncidentReasonKind.ASSET, otherAlert: 3, otherSensor: "both" },
    });
    expect([...state.byKey.values()].flatMap((each) => [...each]).every(({ id }) => id === 1)).toBe(true);
  });

  test("where another alert of an incident than its first is connected, the reason names that one", () => {
    const history = new AlertHistory();
    history.open("a", 0);
    history.open("first", 1);
    history.open("second", 2);
    history.open("both", 3);
    history.open("all", 4);
    const place = asset("x/y/z");
    const merged = folded(history, {
      ...{ a: asset("k/l/m"), first: place, second: { ...place, ...gateway("8") } },
      ...{ both: gateway("8"), all: { ...asset("k/l/m"), ...gateway("8") } },
    });
    expect(groups(merged)).toEqual([[1, 2, 3, 4, 5]]);
    expect(reasonOf(merged, 2)).toEqual({
      ...{ kind: IncidentReasonKind.ATTRIBUTE, key: "gateway", value: "8" },
      ...{ otherAlert: 5, otherSensor: "all", ownAlert: 4, ownSensor: "both" },
    });
  });
});

describe("alarm floods", () => {
  const flood = (alerts: number, everyMinutes: number) => {
    const history = new AlertHistory();
    for (let i = 0; i < alerts; i++) history.open(`s${i}`, i * everyMinutes);
    return history;
  };

  test("ten alerts of one owner in ten minutes are no flood, eleven are one incident that says so", () => {
    expect(groups(folded(flood(10, 0.9)))).toHaveLength(10);
    const state = folded(flood(11, 0.9));
    expect(only(state)).toMatchObject({ id: 1, floodOwner: "", floodPeak: 11 });
    expect(reasonOf(state, 11)).toMatchObject({ kind: IncidentReasonKind.FLOOD, value: "" });
    expect(reasonOf(state, 5)).toMatchObject({ kind: IncidentReasonKind.FLOOD, otherAlert: 11 });
  });

  test("alerts of different owners are no flood together", () => {
    const owners = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`s${i}`, { owner: `owner ${i % 2}` }]));
    expect(groups(folded(flood(12, 0.1), owners))).toHaveLength(12);
  });

  test("a flood goes on until fewer than half as many come, and what comes then is no part of it", () => {
    const history = flood(11, 0.5);
    history.open("during", 11);
    history.open("after", 40);
    const state = folded(history);
    expect(groups(state)).toEqual([Array.from({ length: 12 }, (_, i) => i + 1), [13]]);
  });
});

describe("co-occurrence", () => {
  /** Of `days`, each with an opening of `a`, and two minutes later one of `b` in the first `together` of them, else hours later. */
  const days = (total: number, together: number) => {
    const history = new AlertHistory();
    for (let day = 0; day < total; day++) {
      const at = day * 24 * 60;
      history.close(history.open("a", at), at + 1);
      history.close(history.open("b", at + (day < together ? 2 : 600)), at + 700);
    }
    history.open("a", total * 24 * 60);
    history.open("b", total * 24 * 60 + 2);
    return history;
  };

  test("sensors that opened together often enough are one incident, with the figures", () => {
    const history = days(8, 8);
    const state = folded(history);
    const [first, second] = [history.events.at(-2)!, history.events.at(-1)!].map(({ alert }) => Number(alert!.id));
    expect(groups(state)).toContainEqual([first, second]);
    const { kind, coOpenings, expected, pValue } = reasonOf(state, second!);
    expect(kind).toBe(IncidentReasonKind.CO_OCCURRENCE);
    expect(coOpenings).toBe(8);
    // 9 openings of a, 8 of b, 10 minutes of coincidence for each, in 8 days.
    expect(expected).toBeCloseTo((9 * 8 * 10) / (8 * 24 * 60), 3);
    expect(pValue).toBeLessThan(1e-6);
  });

  test("once is no evidence, and neither is what frequent alerts give by chance", () => {
    expect(groups(folded(days(8, 2))).every(({ length }) => length === 1)).toBe(true);
    const history = new AlertHistory();
    // So often that any two sensors would meet in each window.
    for (let i = 0; i < 40; i++) {
      history.close(history.open("a", i * 10), i * 10 + 1);
      history.close(history.open("b", i * 10 + 4), i * 10 + 5);
    }
    const state = folded(history);
    expect(state.partners.get("a")?.get("b")?.current).toBeGreaterThan(30);
    expect([...state.members.values()].some(({ reason }) => reason.kind === IncidentReasonKind.CO_OCCURRENCE)).toBe(
      false,
    );
  });

  test("a sensor that flutters counts once in a window, and a crowd counts for no pair", () => {
    const history = new AlertHistory();
    for (let i = 0; i < 5; i++) history.close(history.open("flutter", i / 2), i / 2 + 0.1);
    history.open("other", 4);
    for (let i = 0; i < 30; i++) history.open(`crowd-${i}`, 100);
    const state = folded(history);
    expect(state.sensors.get("flutter")?.current).toBe(1);
    expect(state.partners.get("flutter")?.get("other")?.current).toBe(1);
    expect(state.partners.has("crowd-29")).toBe(false);
    expect(state.partners.get("crowd-0")?.size).toBe(20);
  });

  test("what is learnt is bounded: the sensors that alerted least recently and the rarest pairs are forgotten", () => {
    const history = new AlertHistory();
    for (let i = 0; i < 20; i++)
      for (const sensor of ["a", "b"]) history.close(history.open(sensor, i * 60), i * 60 + 1);
    for (let i = 0; i < 200; i++) history.open(`s${i}`, 2000 + i * 2);
    history.open("a", 3000);
    history.open("b", 3001);
    const state = folded(history, {}, new State({ sensors: 50, pairs: 40 }));
    expect(state.sensors.size).toBe(50);
    expect(state.sensors.has("s0")).toBe(false);
    expect(state.pairs).toBeLessThanOrEqual(40);
    const pairs = new Set([...state.partners.values()].flatMap((each) => [...each.values()]));
    expect(pairs.size).toBe(state.pairs);
    expect([...pairs].every(({ a, b }) => state.sensors.has(a) && state.sensors.has(b))).toBe(true);
  });

  test("what was learnt is forgotten after two epochs of 30 days", () => {
    const history = days(8, 8);
    history.open("c", 75 * 24 * 60);
    const state = folded(history);
    expect(state.pairs).toBe(0);
    expect(state.partners.size).toBe(0);
  });
});
