import fc from "fast-check";
import mqtt, { type IConnackPacket, type IPublishPacket } from "mqtt-packet";
import { afterEach, expect, test, vi } from "vitest";
import { MqttLine } from "../../../../testing/mqtt-line.ts";
import { Connection, type ConnectOptions } from "./connection.ts";
import { ANSWER_MS, MAX_PACKET_IDS } from "./limits.ts";

const OPTIONS: ConnectOptions = {
  ...{ clientId: "c", version: 5, clean: false, sessionExpirySeconds: 60, keepaliveSeconds: 60, receiveMaximum: 10 },
  ...{ username: undefined, password: undefined },
};

const publish = (messageId: number, payload = "1"): IPublishPacket => ({
  ...{ cmd: "publish", topic: "a/b", qos: 1, dup: false, retain: false, messageId, payload },
});

async function open(more: Partial<IConnackPacket> = {}) {
  const line = new MqttLine();
  const heard: string[] = [];
  const opening = Connection.open(line, OPTIONS, {
    accepted: (sessionPresent) => heard.push(`session ${sessionPresent}`),
    messages: (packets) => heard.push(...packets.map(({ payload }) => String(payload))),
    pinged: (number) => heard.push(`ping ${number}`),
  });
  line.say({ cmd: "connack", reasonCode: 0, sessionPresent: true, ...more });
  return { line, heard, connection: await opening };
}
const pings = ({ sent }: MqttLine) => sent.filter(({ cmd }) => cmd === "pingreq").length;

afterEach(() => {
  vi.useRealTimers();
});

test("tells the broker how many messages may be on their way, and keeps its session", async () => {
  const { line, connection } = await open();
  expect(connection.sessionPresent).toBe(true);
  expect(line.sent[0]).toMatchObject({ cmd: "connect", clean: false, properties: { receiveMaximum: 10 } });
  connection.end();
});

test("acknowledges in the order that it is told", async () => {
  const { line, connection } = await open();
  connection.acknowledge([7, 300, 8]);
  expect(line.sent.slice(1).map(({ cmd, messageId }) => [cmd, messageId])).toEqual([
    ["puback", 7],
    ["puback", 300],
    ["puback", 8],
  ]);
  connection.end();
});

test.each([
  [134, /the user name or password is wrong/],
  [132, /set MQTT_VERSION to another/],
])("a refusal with reason %i is said in words", async (reasonCode, words) => {
  const line = new MqttLine();
  const opening = Connection.open(line, OPTIONS, {
    ...{ accepted: () => {}, messages: () => {}, pinged: () => {} },
  });
  line.say({ cmd: "connack", reasonCode, sessionPresent: false });
  await expect(opening).rejects.toThrow(words);
  expect(line.isDestroyed).toBe(true);
});

test("a broker that ends the connection says why", async () => {
  const { line, connection } = await open();
  line.say({ cmd: "disconnect", reasonCode: 142 });
  expect((await connection.closed).message).toMatch(/give each replica its own MQTT_CLIENT_ID/);
});

test("a broker that wants no keep-alive is sent no pings, and another one as often as it says", async () => {
  vi.useFakeTimers();
  const none = await open({ properties: { serverKeepAlive: 0 } });
  const slow = await open({ properties: { serverKeepAlive: 120 } });
  await vi.advanceTimersByTimeAsync(200_000);
  expect([pings(none.line), none.connection.isOpen]).toEqual([0, true]);
  expect([pings(slow.line), slow.connection.isOpen]).toEqual([1, true]);
});

test("what comes in the same bytes as the answer to CONNECT comes after what it says of the session", async () => {
  const line = new MqttLine();
  const heard: string[] = [];
  const opening = Connection.open(line, OPTIONS, {
    accepted: () => heard.push("accepted"),
    messages: () => heard.push("message"),
    pinged: () => {},
  });
  line.say({ cmd: "connack", reasonCode: 0, sessionPresent: false }, publish(1));
  await opening;
  expect(heard).toEqual(["accepted", "message"]);
});

test("what comes before a connection ends is taken, and nothing after it", async () => {
  const { line, heard } = await open();
  line.say(publish(1, "before"), { cmd: "disconnect", reasonCode: 139 }, publish(2, "after"), { cmd: "pingresp" });
  line.say(publish(3, "later"));
  expect(heard).toEqual(["session true", "before"]);
});

test("while nothing is read, pings go on, and no answer that cannot be read is missed", async () => {
  vi.useFakeTimers();
  const { line, connection } = await open();
  const subscribed = connection.subscribe([{ filter: "a/#", qos: 1, retained: false }]);
  connection.pause();
  await vi.advanceTimersByTimeAsync(10 * 60_000);
  expect([pings(line), connection.isOpen, line.isPaused]).toEqual([10, true, true]);
  connection.resume();
  line.say({ cmd: "suback", messageId: 1, granted: [1] });
  expect(await subscribed).toEqual([undefined]);
  // What is read and stays silent is dead.
  await vi.advanceTimersByTimeAsync(3 * 60_000);
  expect((await connection.closed).message).toMatch(/does not answer/);
});

test("an answer that could be read and does not come ends the connection", async () => {
  vi.useFakeTimers();
  const { connection } = await open();
  const subscribed = connection.subscribe([{ filter: "a/#", qos: 1, retained: false }]);
  await Promise.all([
    expect(subscribed).rejects.toThrow(/did not answer within 10 s/),
    vi.advanceTimersByTimeAsync(ANSWER_MS),
  ]);
});

test("no two requests under way have the same packet id, and there are as many as ids", async () => {
  const { line, connection } = await open();
  const first = connection.subscribe([{ filter: "a/#", qos: 1, retained: false }]);
  const all = Array.from({ length: MAX_PACKET_IDS - 1 }, () => connection.publish("a", "", { qos: 1, retain: false }));
  const ids = line.sent.slice(1).map(({ messageId }) => messageId!);
  expect(new Set(ids).size).toBe(MAX_PACKET_IDS);
  line.say(...ids.slice(1).map((messageId) => ({ cmd: "puback", messageId }) as const));
  await Promise.all(all);
  const last = connection.publish("a", "", { qos: 1, retain: false });
  expect(line.sent.at(-1)!.messageId).toBe(2);
  line.say({ cmd: "suback", messageId: 1, granted: [0x87] }, { cmd: "puback", messageId: 2 });
  expect(await first).toEqual([expect.stringContaining("not authorized")]);
  await last;
});

test("whatever bytes come, in whatever pieces, nothing throws", async () => {
  const message = mqtt.generate(publish(3), { protocolVersion: 5 });
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.constant(new Uint8Array(message)),
    fc.uint8Array({ minLength: 1, maxLength: 3 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(bytes, { maxLength: 6 }), async (chunks) => {
      const { line, connection } = await open();
      for (const chunk of chunks) line.emit("data", Buffer.from(chunk));
      connection.destroy("was left");
      expect(line.isDestroyed).toBe(true);
    }),
  );
});
