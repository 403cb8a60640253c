/** How honest early alerts are: the share that a crossing follows, how long before, and whether it comes within the range that was told. */
import { AlertEventType } from "../gen/es/telltale/v1/watch_pb.ts";
import { SensorReplay } from "../server/backtest/replay.ts";
import { createDetector } from "../server/detect/index.ts";
import { DAY_US, HOUR_US, MINUTE_US } from "../server/lib/time.ts";
import { firstTick, idOf } from "../server/log/id-clock.ts";
import { upperMedian } from "./median.ts";
import { Random } from "./random.ts";

const SENSORS = 24;
const DAYS = 16;
const INTERVAL_US: number = 2 * MINUTE_US;
/** After the beginning of the id clock. */
const START_US = 1_767_571_200e6;
const LIMIT = 60;
const LEVEL = 50;
/** A crossing that begins so long after the limit was last exceeded is another one. */
const APART_US: number = 6 * HOUR_US;
/** A crossing follows an early alert where it comes within one and a half times the time that is looked ahead. */
const FOLLOWS_US: number = 18 * HOUR_US;

/** What is added to a sensor's usual course at a time since the start of the series. */
type Course = (atUs: number) => number;

/** Kinds of sensors that come near their limit, and one that does not. */
const KINDS: readonly (readonly [name: string, course: (random: Random) => Course])[] = [
  ["rises evenly over 6 to 60 hours", (random) => ramp(random, (share) => share)],
  ["rises ever faster", (random) => ramp(random, (share) => share ** 2)],
  ["rises, and stops at 40 to 90 % of the way", stopping],
  ["tank, filled and emptied", tank],
  ["random walk", walk],
  ["as usual", () => () => 0],
];

function ramp(random: Random, shape: (share: number) => number): Course {
  const [from, lasts] = [random.between(5, 11) * DAY_US, random.between(6, 60) * HOUR_US];
  return (atUs) => {
    const share = (atUs - from) / lasts;
    return share < 0 || share > 1.3 ? 0 : (LIMIT - LEVEL) * shape(share);
  };
}

function stopping(random: Random): Course {
  const [from, lasts, most] = [
    random.between(5, 11) * DAY_US,
    random.between(6, 60) * HOUR_US,
    random.between(0.4, 0.9),
  ];
  return (atUs) => (LIMIT - LEVEL) * Math.min(most, Math.max(0, (atUs - from) / lasts));
}

function tank(random: Random): Course {
  const anHour = random.between(0.3, 1.5);
  let level = random.between(20, 30);
  let full = random.between(45, 65);
  return () => {
    level += (anHour * INTERVAL_US) / HOUR_US;
    if (level > full) [level, full] = [random.between(20, 30), random.between(45, 65)];
    return level - LEVEL;
  };
}

function walk(random: Random): Course {
  let at = 0;
  return () => (at += 0.04 * random.normal());
}

interface EarlyAlert {
  readonly openedUs: number;
  readonly closedUs: number;
}

interface Counted {
  crossings: number;
  told: number;
  alerts: number;
  followed: number;
  readonly hoursBefore: number[];
}

/** Rows of the table: a kind of sensors each. */
export function scoreEarlyAlerts(sensors: number = SENSORS): string[] {
  return KINDS.map(([name, course], kind) => {
    const counted: Counted = { crossings: 0, told: 0, alerts: 0, followed: 0, hoursBefore: [] };
    for (let s = 0; s < sensors; s++) playOne(course, new Random(1 + s + 1000 * kind), counted);
    const { crossings, told, alerts, followed, hoursBefore } = counted;
    const lead = hoursBefore.length === 0 ? "–" : upperMedian(hoursBefore).toFixed(1);
    const without = ((alerts - followed) / (sensors * DAYS)).toFixed(3);
    return `| ${name} | ${crossings} | ${told} | ${alerts} | ${followed} | ${lead} | ${without} |`;
  });
}

function playOne(kind: (random: Random) => Course, random: Random, counted: Counted): void {
  const [amplitude, deviation, phase] = [random.between(0, 4), random.between(0.2, 1), random.next()];
  const course = kind(random);
  const detector = createDetector();
  detector.configure("", { rangeMax: LIMIT }, true);
  const found = new Map<number, EarlyAlert>();
  const replay = new SensorReplay({
    ...{ detector, partition: 0 },
    onAlert: ({ id, alertType, openedUs, closedUs }, transition) => {
      if (alertType !== "limit_forecast" || transition === undefined) return;
      if (transition === AlertEventType.OPENED) counted.alerts++;
      found.set(id, { openedUs, closedUs: closedUs ?? Number.POSITIVE_INFINITY });
    },
  });
  const series = { sensorId: "s", sensorType: "", unit: "", location: undefined };
  const crossings: number[] = [];
  let beyondUs = Number.NEGATIVE_INFINITY;
  let noise = 0;
  for (let at = 0; at < DAYS * DAY_US; at += INTERVAL_US) {
    noise = 0.7 * noise + 0.7 * deviation * random.normal();
    const value = LEVEL + amplitude * Math.sin(2 * Math.PI * (at / DAY_US + phase)) + noise + course(at);
    const timeUs = START_US + at;
    if (value > LIMIT) {
      if (timeUs - beyondUs > APART_US) crossings.push(timeUs);
      beyondUs = timeUs;
    }
    replay.reading(series, timeUs, value, idOf(firstTick(0, timeUs), 0), 0);
    replay.tick(timeUs + 1e6);
  }
  count(counted, [...found.values()], crossings);
}

function count(counted: Counted, alerts: readonly EarlyAlert[], crossings: readonly number[]): void {
  counted.crossings += crossings.length;
  const told = new Set<number>();
  for (const { openedUs } of alerts) {
    const next = crossings.find((us) => us > openedUs);
    if (next === undefined || next - openedUs > FOLLOWS_US) continue;
    counted.followed++;
    told.add(next);
    counted.hoursBefore.push((next - openedUs) / HOUR_US);
  }
  counted.told += told.size;
}

/** The section of the evaluation. */
export function earlySection(sensors?: number): string[] {
  return [
    "## Early alerts",
    "",
    `Simulated sensors with a daily course and noise, a reading every two minutes for ${DAYS} days and a limit of their range, ${sensors ?? SENSORS} of each`,
    "kind, at the default of 12 hours. A crossing follows an alert where it comes within 18 hours of it.",
    "",
    "| Sensor | Crossings | told before | Early alerts | followed by a crossing | hours before (median) | not followed, per sensor and day |",
    "|---|---|---|---|---|---|---|",
    ...scoreEarlyAlerts(sensors),
    "",
  ];
}
