import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { withNames } from "./named.ts";

const event = (control: MessageInitShape<typeof ControlSchema>) => ({
  ...{ tick: 1, receivedUs: 1 },
  control: create(ControlSchema, control),
});
const shown = new Map([["first", "renamed"]]);

test("settings of a renamed sensor, and of others, keep the rules of their time zone", () => {
  for (const sensorId of ["first", "other"]) {
    const value = { sensorId, timeZone: "Mars/Olympus" };
    const logged = event({ id: "c", action: { case: "settings", value }, timeZoneRules: { firstOffset: 5400 } });
    const [named] = withNames([logged], shown);
    expect(named!.control.action.value).toMatchObject({ sensorId: shown.get(sensorId) ?? sensorId });
    expect(named!.control.timeZoneRules?.firstOffset).toBe(5400);
  }
});

test("sensors that are put into assets are named as they are shown", () => {
  const placed = [{ asset: "site/hall", sensorIds: ["first", "other"] }];
  const [named] = withNames([event({ id: "c", action: { case: "placeSensors", value: { placed } } })], shown);
  expect(named!.control.action.value).toMatchObject({
    placed: [{ asset: "site/hall", sensorIds: ["renamed", "other"] }],
  });
});
