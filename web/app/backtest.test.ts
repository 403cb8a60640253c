import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { type Alert, AlertSchema } from "../../gen/web/telltale/v1/alert_pb.ts";
import { compared, formOfText, sentenceOf, settingsText, verdictsOf } from "./backtest.ts";

const at = (seconds: number) => ({ seconds: BigInt(seconds), nanos: 0 });
const alert = (from: number, to: number, more: object = {}): Alert =>
  create(AlertSchema, { openedAt: at(from), lastSeenAt: at(to), closedAt: at(to + 100), ...more });

test("an alert that opens earlier or later is the same one; what overlaps none is gone or added", () => {
  const all = compared([alert(10, 20), alert(50, 60)], [alert(18, 40), alert(70, 80)]);
  expect(all.map(({ kind }) => kind)).toEqual(["kept", "gone", "added"]);
  expect(sentenceOf(all)).toBe("Live there were 2 alerts: 1 kept, 1 gone; 1 would have been raised in addition.");
  expect(sentenceOf([])).toBe("There was no alert in this range, and there would have been none.");
  expect(sentenceOf(compared([], [alert(1, 2)]))).toMatch(/^Live there was no alert; 1 would/);
});

test("a silence lasts until it is closed, and one that is open lasts to the end of the range", () => {
  const silence = (closedAt: object | undefined) => alert(10, 10, { alertType: "silence", closedAt });
  expect(compared([silence(at(90))], [alert(80, 85)]).map(({ kind }) => kind)).toEqual(["kept"]);
  expect(compared([silence(undefined)], [alert(500, 501)]).map(({ kind }) => kind)).toEqual(["kept"]);
  expect(verdictsOf(compared([silence(undefined)], []), 99_000)).toEqual([{ kind: "gone", from: 10_000, to: 99_000 }]);
});

test("settings come back from the address, and what it does not know is left out", () => {
  const before = { alarms_per_sensor_day: "", range_min: "3", direction: "" };
  const form = { alarms_per_sensor_day: " 1 ", range_min: "", direction: "3" };
  const text = settingsText(form, before);
  expect(text).toBe("alarms_per_sensor_day:1,range_min:,direction:3");
  expect(formOfText(text, before)).toEqual({ alarms_per_sensor_day: "1", range_min: "", direction: "3" });
  const list = { ...before, direction: "a,b %2C c" };
  expect(formOfText(settingsText(list, before), before)).toEqual(list);
  expect(formOfText("nonsense:1,toString:2,direction", before)).toEqual(before);
});
