import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { WatchReadingsRequestSchema } from "../../gen/es/telltale/v1/watch_pb.ts";
import type { Interest } from "../scoring/messages.ts";
import { WatchInterest } from "./watch-interest.ts";

const of = (sensorId: string) => create(WatchReadingsRequestSchema, { sensorId });

function told() {
  const all: (Interest | undefined)[] = [];
  const interest = new WatchInterest(async (each) => {
    all.push(each);
  });
  return { all, interest };
}

test("a thousand watches of one sensor are one name, told once", async () => {
  const { all, interest } = told();
  for (let i = 0; i < 1_000; i++) await interest.add(of("a"));
  expect(all).toEqual([{ all: "nothing", sensors: ["a"], types: [] }]);
});

test("watches that open and close at the same time are told together, and those that are gone at once not at all", async () => {
  const { all, interest } = told();
  const watches = Array.from({ length: 1_000 }, (_, i) => of(`s-${i}`));
  await Promise.all(watches.map((each) => interest.add(each)));
  expect(all.map((each) => each?.sensors.length)).toEqual([1_000]);
  await Promise.all([...watches.map((each) => interest.remove(each)), interest.add(watches[0]!)]);
  expect(all.slice(1)).toEqual([{ all: "nothing", sensors: ["s-0"], types: [] }]);
  await Promise.all([interest.add(watches[1]!), interest.remove(watches[1]!)]);
  expect(all).toHaveLength(2);
  await interest.remove(watches[0]!);
  expect(all.slice(2)).toEqual([undefined]);
});

test("what could not be told is told again", async () => {
  const all: (Interest | undefined)[] = [];
  const interest = new WatchInterest(async (each) => {
    all.push(each);
    if (all.length === 1) throw new Error("no way there");
  });
  const watch = of("a");
  await expect(interest.add(watch)).rejects.toThrow("no way there");
  await interest.add(watch);
  expect(all).toHaveLength(2);
});
