import { expect, test } from "vitest";
import { Quarantine } from "./quarantine.ts";

const row = (offset: number) => ({
  ...{ offset, fragment: 0, index: 0, readings: 1, sensorId: "a", reason: "r", sqlstate: "23514", receivedUs: 1 },
  payload: new Uint8Array(),
});

test("what is set aside is stored by one commit, also where the next is made before that is in, and by another where it fails", () => {
  const quarantine = new Quarantine();
  const [first, second] = [row(3), row(5)];
  quarantine.add(first);
  quarantine.add(second);
  const taken = quarantine.takeBefore(4);
  expect(taken).toEqual([first]);
  expect(quarantine.takeBefore(6)).toEqual([second]);
  expect(quarantine.takeBefore(6)).toEqual([]);
  expect(quarantine.isPending(3)).toBe(true);
  quarantine.stored([second]);
  // The partition is opened again, since the commit of the first one has failed.
  quarantine.begin();
  expect(quarantine.takeBefore(6)).toEqual(taken);
  quarantine.stored([first]);
  expect(quarantine.isPending(3)).toBe(false);
  expect(quarantine.takeBefore(6)).toEqual([]);
});
