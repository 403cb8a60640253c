import fc from "fast-check";
import { expect, test } from "vitest";
import { Identities } from "./identity.ts";

test("an identity is that of its key, in whatever order keys come", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 20 }), { maxLength: 200 }), (numbers) => {
      const identities = new Identities();
      const met = new Set<number>();
      for (const number of numbers) {
        const key = `key ${number}`;
        const found = identities.find(key);
        expect(found !== undefined).toBe(met.has(number));
        const { sensorId } = found ?? identities.add(key, { name: `s${number}`, labels: [] });
        expect(sensorId).toBe(`s${number}`);
        met.add(number);
      }
    }),
  );
});
