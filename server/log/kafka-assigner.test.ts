import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignSticky } from "./kafka-assigner.ts";

describe("sharing out partitions", () => {
  const member = fc.record({ id: fc.uuid(), owned: fc.array(fc.nat(15), { maxLength: 8 }) });
  const members = fc.uniqueArray(member, { minLength: 1, maxLength: 6, selector: ({ id }) => id });
  const partitions = fc.integer({ min: 1, max: 16 }).map((count) => Array.from({ length: count }, (_, i) => i));

  it("gives each partition to exactly one member, and no member over one more than another", () => {
    fc.assert(
      fc.property(members, partitions, (claims, all) => {
        const shares = [...assignSticky(claims, all).values()];
        const given = shares.flat().sort((a, b) => a - b);
        const sizes = shares.map(({ length }) => length);
        expect(given).toEqual(all);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it("moves nothing when nobody came or went", () => {
    fc.assert(
      fc.property(members, partitions, (claims, all) => {
        const first = assignSticky(claims, all);
        const again = assignSticky(
          claims.map(({ id }) => ({ id, owned: first.get(id)! })),
          all,
        );
        for (const [id, share] of first) expect([...again.get(id)!].sort()).toEqual([...share].sort());
      }),
    );
  });

  it("moves to a new member no more than its share", () => {
    const before = [
      { id: "a", owned: [0, 1, 2, 3] },
      { id: "b", owned: [4, 5, 6, 7] },
      { id: "c", owned: [] },
    ];
    const after = assignSticky(before, [0, 1, 2, 3, 4, 5, 6, 7]);
    expect(after.get("c")).toHaveLength(2);
    expect(before[0]!.owned).toEqual(expect.arrayContaining(after.get("a")!));
    expect(before[1]!.owned).toEqual(expect.arrayContaining(after.get("b")!));
  });
});
