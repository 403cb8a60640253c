import fc from "fast-check";
import { expect, test } from "vitest";
import { firstTick, idOf, MAX_PARTITIONS, partitionOfId, receivedUsOf, TICK_US, tickOfId } from "./id-clock.ts";

const partition = fc.integer({ min: 0, max: MAX_PARTITIONS - 1 });
/** To 2042. */
const receivedUs = fc.integer({ min: Date.UTC(2025, 0, 1) * 1000, max: Date.UTC(2042, 0, 1) * 1000 });

test("no two partitions that are allowed give the same id, and an id says where and when it was given", () => {
  fc.assert(
    fc.property(receivedUs, partition, receivedUs, partition, (us, p, otherUs, q) => {
      const [tick, otherTick] = [firstTick(0, us), firstTick(0, otherUs)];
      const id = idOf(tick, p);
      expect(Number.isSafeInteger(id)).toBe(true);
      expect([partitionOfId(id), tickOfId(id)]).toEqual([p, tick]);
      expect(us - receivedUsOf(id)).toBeLessThan(TICK_US);
      expect(idOf(otherTick, q) === id).toBe(otherTick === tick && p === q);
      expect(idOf(tick, p)).toBeLessThan(idOf(tick + 1, q));
    }),
  );
});
