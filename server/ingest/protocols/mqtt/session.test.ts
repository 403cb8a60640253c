import { getEventListeners, once } from "node:events";
import { afterEach, beforeEach, expect, test } from "vitest";
import { recordingLogger } from "../../../../testing/logger.ts";
import { MqttLine } from "../../../../testing/mqtt-line.ts";
import { systemClock } from "../../../clock.ts";
import type { ConnectOptions, Subscription } from "./connection.ts";
import { type Delivery, Session } from "./session.ts";

const CONNECT: ConnectOptions = {
  ...{ clientId: "c", version: 5, clean: false, sessionExpirySeconds: 60, keepaliveSeconds: 60, receiveMaximum: 10 },
  ...{ username: undefined, password: undefined },
};
const subscription = (filter: string): Subscription => ({ filter, qos: 1, retained: false });

let dialled: PromiseWithResolvers<MqttLine>;
let states: boolean[];
let state: PromiseWithResolvers<void>;
let deliveries: Delivery[];
let ending: AbortController;
let session: Session;
let running: Promise<void>;
const { logger, lines } = recordingLogger();

beforeEach(() => {
  dialled = Promise.withResolvers();
  state = Promise.withResolvers();
  states = [];
  deliveries = [];
  ending = new AbortController();
  session = new Session({
    dial: async () => {
      const line = new MqttLine();
      dialled.resolve(line);
      return line;
    },
    connect: async () => CONNECT,
    subscriptions: () => [subscription("a/#"), subscription("b/#")],
    deliver: (more) => deliveries.push(...more),
    room: async () => {},
    onState: (connected) => {
      states.push(connected);
      state.resolve();
      state = Promise.withResolvers();
    },
    clock: systemClock,
    logger,
  });
  running = session.run(ending.signal);
});
afterEach(async () => {
  ending.abort(new Error("over"));
  await running;
});

/** The next connection, its CONNECT answered. */
async function accept(sessionPresent = true): Promise<MqttLine> {
  const line = await dialled.promise;
  dialled = Promise.withResolvers();
  while (line.sent.length === 0) await once(line, "sent");
  line.say({ cmd: "connack", reasonCode: 0, sessionPresent });
  return line;
}

/** Answers the next SUBSCRIBE. @returns its filters */
async function grant(line: MqttLine, granted: number[], from = 0): Promise<string[]> {
  const asked = () => line.sent.slice(from).find((packet) => packet.cmd === "subscribe");
  for (;;) {
    const packet = asked();
    if (packet?.cmd === "subscribe") {
      line.say({ cmd: "suback", messageId: packet.messageId!, granted });
      return packet.subscriptions.map(({ topic }) => topic);
    }
    await once(line, "sent");
  }
}

async function untilState(wanted: boolean): Promise<void> {
  while (states.at(-1) !== wanted) await state.promise;
}

test("a subscription that the broker refuses is a fault, said with its reason, and asked for again", async () => {
  const line = await accept();
  await grant(line, [1, 0x87]);
  await untilState(false);
  expect(session.fault).toMatch(/refuses the subscription to "b\/#": not authorized \(reason 135\)/);
  const refusals = () => lines().filter(({ filter }) => filter === "b/#");
  expect(refusals()).toMatchObject([{ why: "not authorized (reason 135)" }]);
  const from = line.sent.length;
  expect(await grant(line, [1], from)).toEqual(["b/#"]);
  await untilState(true);
  expect(session.fault).toBeUndefined();
  expect(line.isDestroyed).toBe(false);
});

test("so is one that begins later, until it is not wanted any more", async () => {
  const line = await accept();
  await grant(line, [1, 1]);
  await untilState(true);
  const from = line.sent.length;
  const following = session.follow([subscription("c")], []);
  await grant(line, [0x80], from);
  await following;
  await untilState(false);
  expect(session.fault).toMatch(/refuses the subscription to "c": unspecified error/);
  const leaving = session.follow([], [subscription("c")]);
  const left = line.sent.at(-1)!;
  expect(left.cmd).toBe("unsubscribe");
  line.say({ cmd: "unsuback", messageId: left.messageId!, granted: [0] });
  await leaving;
  expect(session.fault).toBeUndefined();
  expect(states.at(-1)).toBe(true);
});

test("nothing of a connection stays on the signal that ends the process, whatever became of it", async () => {
  const first = getEventListeners(ending.signal, "abort").length;
  for (const code of [0x88, 0x87, 0x88]) {
    const line = await dialled.promise;
    dialled = Promise.withResolvers();
    while (line.sent.length === 0) await once(line, "sent");
    line.say({ cmd: "connack", reasonCode: code, sessionPresent: false });
    await untilState(false);
    states.push(true);
  }
  // One pause before the next connection, and no more.
  expect(getEventListeners(ending.signal, "abort").length - first).toBeLessThanOrEqual(1);
});

test("a connection that begins while there is no room is not read", async () => {
  session.pause();
  const line = await accept();
  await grant(line, [1, 1]);
  await untilState(true);
  expect(line.isPaused).toBe(true);
  session.resume();
  expect(line.isPaused).toBe(false);
});

test("what comes with a session that is new has its own time, also in the same bytes, and keeps it", async () => {
  const packet = (dup: boolean) => ({
    ...({ cmd: "publish", topic: "a/b", qos: 1, retain: false, messageId: 1, payload: "1", dup } as const),
  });
  let line = await dialled.promise;
  dialled = Promise.withResolvers();
  while (line.sent.length === 0) await once(line, "sent");
  line.say({ cmd: "connack", reasonCode: 0, sessionPresent: false }, packet(false));
  await grant(line, [1, 1]);
  await untilState(true);
  line.emit("close");
  line = await accept();
  line.say(packet(true));
  const times = deliveries.map(({ message }) => message.arrivedUs);
  expect(times).toHaveLength(2);
  expect(times[1]).toBe(times[0]);
  // What is left of the first one acknowledges nothing on the second.
  session.acknowledge(deliveries[0]!.from!, [1]);
  expect(line.sent.map(({ cmd }) => cmd)).not.toContain("puback");
  session.acknowledge(deliveries[1]!.from!, [1]);
  expect(line.sent.map(({ cmd }) => cmd)).toContain("puback");
});
