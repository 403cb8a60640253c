import type { IPublishPacket } from "mqtt-packet";
import { expect, test } from "vitest";
import { PacketMemory } from "./packet-memory.ts";

const packet = (messageId: number, payload: string, dup = false): IPublishPacket => ({
  ...{ cmd: "publish", topic: "a", qos: 1, retain: false },
  ...{ messageId, payload: Buffer.from(payload), dup },
});

test("a message that is sent again keeps the time of its first arrival", () => {
  const memory = new PacketMemory();
  const first = memory.arrival(packet(1, "x"), 1_000);
  memory.acknowledged([1], 0);
  expect(memory.arrival(packet(1, "x", true), 9_000)).toBe(first);
});

test("another message with the id of an earlier one has a time of its own", () => {
  const memory = new PacketMemory();
  const first = memory.arrival(packet(1, "x"), 1_000);
  expect(memory.arrival(packet(1, "y", true), 1_000)).not.toBe(first);
  expect(memory.arrival(packet(1, "y"), 1_000)).not.toBe(first);
});

test("no two messages arrive at the same time, whatever the clock says", () => {
  const memory = new PacketMemory();
  const times = [5_000, 5_000, 4_000, 5_001].map((nowUs, id) => memory.arrival(packet(id + 1, "x"), nowUs));
  expect(new Set(times).size).toBe(4);
  expect(times).toEqual([...times].sort((a, b) => a - b));
});

test("what the broker is known to have had acknowledged is forgotten, and nothing else", () => {
  const memory = new PacketMemory();
  for (const id of [1, 2, 3]) memory.arrival(packet(id, "x"), 1_000);
  memory.acknowledged([1], 0);
  memory.acknowledged([2], 1);
  // Ping 1 went out after the first acknowledgement and before the second.
  memory.confirmed(1);
  expect(memory.size).toBe(2);
  memory.clear();
  expect(memory.size).toBe(0);
});
