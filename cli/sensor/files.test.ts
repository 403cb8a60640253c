import { expect, test } from "vitest";
import { readCsv } from "./csv.ts";
import { readYaml } from "./yaml.ts";

test.each([
  ["ownr", /did you mean owner\?$/],
  ["Datum", /"Datum" is no field of a sensor\.$/],
])("a field of a file that is none ends its sentence once: %s", (name, message) => {
  expect(() => readYaml("s.yaml", `sensors:\n  - ${name}: me\n`)).toThrow(message);
});

test.each([
  ["ownr", /did you mean owner\?$/],
  ["Datum", /attributes\.NAME\.$/],
])("a column of a file that is none ends its sentence once: %s", async (name, message) => {
  async function* bytes() {
    yield Buffer.from(`sensor_id,${name}\na,me\n`);
  }
  await expect(readCsv("s.csv", bytes())).rejects.toThrow(message);
});
