import { expect, test } from "vitest";
import type { AlertRow } from "../store/store.ts";
import { addSensor, besides, noTotals } from "./summary.ts";

/** An excursion, or where `closed` is given with the type, a silence. Times in seconds. */
function alert(opened: number, lastSeen: number, more: Partial<AlertRow> = {}): AlertRow {
  const times = { openedUs: opened * 1e6, lastSeenUs: lastSeen * 1e6, closedUs: (lastSeen + 10) * 1e6 };
  return { id: opened, alertType: "anomaly_detection", ...times, ...more } as AlertRow;
}

const span = (from: number, until: number) => ({ fromUs: from * 1e6, untilUs: until * 1e6 });

test("an alert that opens a little earlier is the same alert; durations, events and mistakes add up over sensors", () => {
  const totals = noTotals();
  addSensor(totals, {
    alerts: [alert(100, 200), alert(500, 500), alert(900, 950, { closedUs: null })],
    notifications: 4,
    stored: [span(120, 220), span(700, 720)],
    events: [span(90, 110), span(300, 310)],
    mistakes: [span(490, 510)],
    eventsComplete: false,
    spanUs: 86_400e6,
    endUs: 1000e6,
  });
  expect(totals).toMatchObject({
    alerts: 3,
    notifications: 4,
    stored: 2,
    avoided: 1,
    added: 2,
    sensors: 1,
    sensorDays: 1,
  });
  expect(totals).toMatchObject({
    labelsTotal: 2,
    labelsMet: 1,
    right: 1,
    wrong: 1,
    alertSeconds: 110 + 10 + 100,
    longestSeconds: 110,
  });
  // Where every event is known, an alert beside them is wrong.
  addSensor(totals, {
    ...{ alerts: [alert(1, 2)], notifications: 1, stored: [], events: [], mistakes: [], eventsComplete: true },
    ...{ spanUs: 0, endUs: 5e6 },
  });
  expect(totals).toMatchObject({ alerts: 4, wrong: 2, right: 1, sensors: 2 });
});

test("a silence goes on until it is closed, an excursion until it was last seen", () => {
  const silence = alert(100, 100, { alertType: "silence", closedUs: 400e6 });
  expect(besides([silence], [alert(350, 360)])).toEqual([]);
  expect(besides([alert(100, 100)], [alert(105, 360)])).toHaveLength(1);
});
