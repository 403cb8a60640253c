import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { firstTick } from "../log/id-clock.ts";
import { packTick, unpackTicks } from "../store/log-ticks.ts";
import { Ticks, TimelineCursor } from "./timeline.ts";

const START = Date.UTC(2026, 0, 5) * 1000;

test("ticks are stored and read again as they were, also where the id clock runs ahead of the time", () => {
  const steps = fc.array(fc.record({ us: fc.integer({ min: 0, max: 5e6 }), ahead: fc.integer({ min: 0, max: 3 }) }));
  fc.assert(
    fc.property(steps, (list) => {
      const minutes = new Map<number, Buffer>();
      const wanted: number[][] = [];
      let us = START;
      for (const step of list) {
        us += step.us;
        const tick = firstTick(0, us) + step.ahead * 1e6;
        wanted.push([us, tick]);
        const { minute, bytes } = packTick(us, tick);
        minutes.set(minute, Buffer.concat([minutes.get(minute) ?? Buffer.alloc(0), bytes]));
      }
      const ticks = new Ticks();
      for (const [minute, bytes] of minutes) unpackTicks(minute, bytes, (at, tick) => ticks.add(at, tick));
      expect(wanted.map((_, i) => [ticks.receivedUs(i), ticks.tick(i)])).toEqual(wanted);
    }),
  );
});

test("what people did and that time has passed come in the order of the log", () => {
  const ticks = new Ticks();
  for (const second of [1, 2, 3, 4]) ticks.add(START + second * 1e6, firstTick(0, START + second * 1e6));
  const event = (id: string, us: number) => ({
    tick: firstTick(0, us),
    receivedUs: us,
    control: create(ControlSchema, { id }),
  });
  const controls = [event("a", START), event("b", START + 2.5e6), event("c", START + 3e6), event("d", START + 9e6)];
  const cursor = new TimelineCursor({ controls, ticks });
  const order: string[] = [];
  const drain = (upTo: number) => {
    for (let h = cursor.next((_, us) => us <= upTo); h !== undefined; h = cursor.next((_, us) => us <= upTo)) {
      order.push(h.kind === "control" ? h.event.control.id : String((h.at - START) / 1e6));
    }
  };
  drain(START + 2e6);
  expect(order).toEqual(["a", "1", "2"]);
  expect(cursor.nextTick()).toBe(firstTick(0, START + 2.5e6));
  drain(START + 20e6);
  expect(order).toEqual(["a", "1", "2", "b", "c", "3", "4", "d"]);
  expect(cursor.nextTick()).toBe(Number.POSITIVE_INFINITY);
});
