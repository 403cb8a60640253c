import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { type Alert, AlertSchema, AlertState } from "../../gen/web/telltale/v1/alert_pb.ts";
import { Severity } from "../../gen/web/telltale/v1/reading_pb.ts";
import { append, EMPTY, type Filter, type Inbox, matches, release, take } from "./inbox.ts";

const OPEN: Filter = { show: "open", severity: "", search: "", hideAcknowledged: false };
const alert = (id: number, more: Partial<Omit<Alert, "$typeName">> = {}): Alert =>
  Object.assign(
    create(AlertSchema, {
      ...{ id: BigInt(id), sensorId: `boiler-${id}`, state: AlertState.OPEN, severity: Severity.HIGH },
      ...{ openedAt: timestampFromMs(id * 1_000) },
    }),
    more,
  );
const ids = ({ rows, waiting }: Inbox) => [rows, waiting].map((list) => list.map(({ id }) => Number(id)));
const full = [1, 2, 3].reduce((inbox, id) => take(inbox, alert(id), OPEN, false), EMPTY);

test("new alerts stand first; where somebody is at work they wait, and come in their places", () => {
  expect(ids(full)).toEqual([[3, 2, 1], []]);
  const busy = take(take(full, alert(5), OPEN, true), alert(4), OPEN, true);
  expect(ids(busy)).toEqual([
    [3, 2, 1],
    [5, 4],
  ]);
  expect(ids(release(busy))).toEqual([[5, 4, 3, 2, 1], []]);
});

test("one that opened earlier than others that are shown comes between them", () => {
  const late = alert(9, { openedAt: timestampFromMs(2_005) });
  expect(ids(take(full, late, OPEN, false))).toEqual([[3, 9, 2, 1], []]);
});

test("an alert that is shown changes in place, also where the filter would hide it now", () => {
  const resolved = alert(2, { state: AlertState.RESOLVED });
  const after = take(full, resolved, OPEN, true);
  expect(ids(after)).toEqual([[3, 2, 1], []]);
  expect(after.rows[1]?.state).toBe(AlertState.RESOLVED);
});

test("one that waits and is over before anybody looked does not come", () => {
  const waiting = take(full, alert(4), OPEN, true);
  expect(ids(take(waiting, alert(4, { state: AlertState.RECOVERED }), OPEN, true))).toEqual([[3, 2, 1], []]);
});

test("filters are joined by and", () => {
  const one = alert(1, { message: "Anomaly detected with score 0.97", acknowledgedAt: timestampFromMs(1_000) });
  const holds = (filter: Partial<Filter>) => matches(one, { ...OPEN, ...filter });
  expect([holds({}), holds({ search: "SCORE" }), holds({ search: "Boiler-1" }), holds({ severity: "high" })]).toEqual([
    true,
    true,
    true,
    true,
  ]);
  expect([
    holds({ show: "closed" }),
    holds({ search: "pump" }),
    holds({ severity: "low" }),
    holds({ hideAcknowledged: true }),
  ]).toEqual([false, false, false, false]);
});

test("a page of older alerts brings none a second time", () => {
  expect(ids(append(full, [alert(1), alert(0)]))).toEqual([[3, 2, 1, 0], []]);
});
