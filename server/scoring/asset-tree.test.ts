import fc from "fast-check";
import { expect, test } from "vitest";
import { AssetTree } from "./asset-tree.ts";

const ASSETS = ["", "site", "site/hall", "site/hall/pump", "site/halls", "yard/hall"];

test("sensors are in the asset that they were put in last and in those around it, and nothing is kept of one without any", () => {
  const moves = fc.array(fc.tuple(fc.constantFrom("a", "b", "c", "d"), fc.constantFrom(...ASSETS)), { maxLength: 30 });
  fc.assert(
    fc.property(moves, (all) => {
      const tree = new AssetTree();
      const placed = new Map<string, string>();
      for (const [sensor, asset] of all) {
        tree.place(sensor, asset);
        placed.set(sensor, asset);
      }
      for (const asset of ASSETS.slice(1)) {
        const wanted = [...placed].filter(([, at]) => `${at}/`.startsWith(`${asset}/`)).map(([sensor]) => sensor);
        expect([...tree.sensorsIn(asset)].sort()).toEqual(wanted.sort());
      }
      for (const sensor of placed.keys()) tree.place(sensor, "");
      expect(tree.size).toBe(0);
    }),
  );
});
