import { expect, test } from "vitest";
import { DetectorConfigSource } from "../../gen/es/telltale/v1/detector_pb.ts";
import { originsNote } from "./setting-origins.ts";

const { SENSOR, ASSET, LEARNT, PLATFORM } = DetectorConfigSource;
const origins = [
  { field: "range_min", source: PLATFORM, asset: "" },
  { field: "range_max", source: ASSET, asset: "site/boiler house" },
  { field: "stuck_seconds", source: LEARNT, asset: "" },
  { field: "off", source: SENSOR, asset: "" },
];

test("an explanation names the asset that a setting comes from, and nothing that nobody has set", () => {
  expect(originsNote(["range_min", "range_max"], origins)).toBe(
    ' Its settings now: range_max from asset "site/boiler house".',
  );
  expect(originsNote(["off", "direction"], origins)).toBe(" Its settings now: off set for the sensor.");
  expect(originsNote(["stuck_seconds", "range_min"], origins)).toBe("");
});
