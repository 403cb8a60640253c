import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { idOf } from "../log/id-clock.ts";
import { withoutDeleted } from "./deleted.ts";

type Action = NonNullable<MessageInitShape<typeof ControlSchema>["action"]>;

/** Events at the ticks 10, 20, 30 …, named by their action. */
const events = (...actions: Action[]) =>
  actions.map((action, i) => ({
    ...{ tick: 10 * (i + 1), receivedUs: i },
    control: create(ControlSchema, { id: String(i), action }),
  }));
const settings = (sensorId: string): Action => ({ case: "settings", value: { sensorId, rangeMax: 1 } });
const retire = (...sensorIds: string[]): Action => ({ case: "retire", value: { sensorIds, retired: true } });
const remove = (...sensorIds: string[]): Action => ({ case: "deleteSensors", value: { sensorIds } });
const label = (sensorId: string, tick: number): Action => ({
  case: "label",
  value: { sensorId, alertId: BigInt(idOf(tick, 0)), correct: false },
});

const kept = (...actions: Action[]) => withoutDeleted(events(...actions)).map(({ control }) => control.id);

test("what was said of a sensor before its last deletion is left out, and so are deletions; the rest stays as it is", () => {
  const all = events(settings("a"), settings(""), settings("b"));
  expect(withoutDeleted(all)).toBe(all);
  expect(kept(settings("a"), settings("b"), settings(""), remove("a"), settings("a"))).toEqual(["1", "2", "4"]);
  expect(kept(settings("a"), remove("a"), settings("a"), remove("b", "a"), settings("b"))).toEqual(["4"]);
});

test("a retirement of several stays for those that were not deleted", () => {
  const [left, ...others] = withoutDeleted(events(retire("a", "b"), remove("a"), retire("a")));
  expect(left!.control.action).toMatchObject({ case: "retire", value: { sensorIds: ["b"], retired: true } });
  expect(others.map(({ control }) => control.id)).toEqual(["2"]);
  expect(kept(retire("a"), remove("a"))).toEqual([]);
});

test("a label of an alert of before the deletion is left out wherever it stands", () => {
  // The deletion is at the tick 20.
  expect(kept(label("a", 5), remove("a"), label("a", 15), label("a", 25), label("b", 5))).toEqual(["3", "4"]);
});
