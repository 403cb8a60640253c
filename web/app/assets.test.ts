import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { Severity } from "../../gen/web/telltale/v1/reading_pb.ts";
import { AssetNodeSchema, RegisteredSensorSchema } from "../../gen/web/telltale/v1/registry_pb.ts";
import { alertsByAsset } from "./alerts-by-asset.ts";
import { assetMatcher, assetOf, assetsAbove, linesOf, NO_ASSET } from "./assets.ts";

const asset = (path: string, hasChildren = false) =>
  assetOf(
    create(AssetNodeSchema, { path, name: path.split("/").at(-1)!, hasChildren, counts: { total: 3n, alerting: 1n } }),
  );

test("a tree shows what is in the assets that are open, each below its asset", () => {
  const children = new Map([
    ["", [asset("a", true), asset("b")]],
    ["a", [asset("a/x", true), asset("a/y")]],
    ["a/x", [asset("a/x/1")]],
  ]);
  const shown = (open: string[]) =>
    linesOf(children, new Set(open)).map(({ asset, level }) => `${level} ${asset.path}`);
  expect(shown([])).toEqual(["1 a", "1 b"]);
  expect(shown(["a"])).toEqual(["1 a", "2 a/x", "2 a/y", "1 b"]);
  expect(shown(["a", "a/x"])).toEqual(["1 a", "2 a/x", "3 a/x/1", "2 a/y", "1 b"]);
  // What is open in an asset that is closed is not seen.
  expect(shown(["a/x"])).toEqual(["1 a", "1 b"]);
});

test("an asset says how its sensors are", () => {
  expect(asset("a")).toMatchObject({ sensors: 3, alerting: 1, stale: 0, worst: undefined });
  expect(assetOf(create(AssetNodeSchema, { worstSeverity: Severity.HIGH }))).toMatchObject({
    sensors: 0,
    worst: "high",
  });
});

test("a matcher takes the place and what is below it, and nothing that begins the same", () => {
  expect(assetsAbove("a/b/c")).toEqual(["a", "a/b"]);
  expect(assetsAbove("a")).toEqual([]);
  expect(assetMatcher(NO_ASSET)).toBe('asset=""');
  const [, quoted] = /^asset=~(".*")$/.exec(assetMatcher('hall (2)/"press".1'))!;
  const pattern = new RegExp(`^(?:${JSON.parse(quoted!)})$`);
  for (const inside of ['hall (2)/"press".1', 'hall (2)/"press".1/top']) expect(inside).toMatch(pattern);
  for (const outside of ['hall (2)/"press".10', 'hall (2)/"press"x1', "hall (2)"]) expect(outside).not.toMatch(pattern);
});

test("open alerts are counted by asset, the worst first", () => {
  const sensor = (asset: string, openAlerts: bigint, worstSeverity: Severity) =>
    create(RegisteredSensorSchema, { asset, openAlerts, worstSeverity });
  const sensors = [
    sensor("a", 1n, Severity.LOW),
    sensor("b", 2n, Severity.MEDIUM),
    sensor("", 1n, Severity.LOW),
    sensor("a", 1n, Severity.CRITICAL),
    sensor("c", 3n, Severity.MEDIUM),
  ];
  expect(alertsByAsset(sensors)).toEqual([
    { asset: "a", alerts: 2, sensors: 2, worst: "critical" },
    { asset: "c", alerts: 3, sensors: 1, worst: "medium" },
    { asset: "b", alerts: 2, sensors: 1, worst: "medium" },
    { asset: "", alerts: 1, sensors: 1, worst: "low" },
  ]);
});
