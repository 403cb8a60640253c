import { EventEmitter } from "node:events";
import fc from "fast-check";
import mqtt, { type IPublishPacket, type Packet } from "mqtt-packet";
import { expect, test } from "vitest";
import { Connection, type ConnectOptions, type Wire } from "./connection.ts";

const OPTIONS: ConnectOptions = {
  ...{ clientId: "c", version: 5, clean: false, sessionExpirySeconds: 60, keepaliveSeconds: 60, receiveMaximum: 10 },
  ...{ username: undefined, password: undefined },
};

/** The broker's side of a connection, in memory. */
class Line extends EventEmitter implements Wire {
  readonly sent: Packet[] = [];
  readonly #parser = mqtt.parser({ protocolVersion: 5 });
  isDestroyed = false;
  constructor() {
    super();
    this.#parser.on("packet", (packet) => this.sent.push({ ...packet }));
  }
  write(bytes: Uint8Array): boolean {
    this.#parser.parse(Buffer.from(bytes));
    return true;
  }
  end(): void {}
  pause(): void {}
  resume(): void {}
  destroy(): void {
    this.isDestroyed = true;
  }
  say(packet: Packet): void {
    this.emit("data", mqtt.generate(packet, { protocolVersion: 5 }));
  }
}

async function open() {
  const line = new Line();
  const messages: IPublishPacket[] = [];
  const opening = Connection.open(line, OPTIONS, { messages: (more) => messages.push(...more), pinged: () => {} });
  line.say({ cmd: "connack", reasonCode: 0, sessionPresent: true });
  return { line, messages, connection: await opening };
}

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
  const line = new Line();
  const opening = Connection.open(line, OPTIONS, { messages: () => {}, pinged: () => {} });
  line.say({ cmd: "connack", reasonCode, sessionPresent: false });
  await expect(opening).rejects.toThrow(words);
  expect(line.isDestroyed).toBe(true);
});

test("a broker that ends the connection says why", async () => {
  const { line, connection } = await open();
  line.say({ cmd: "disconnect", reasonCode: 142 });
  expect((await connection.closed).message).toMatch(/give each replica its own MQTT_CLIENT_ID/);
});

test("whatever bytes come, in whatever pieces, nothing throws", async () => {
  const publish = mqtt.generate(
    { cmd: "publish", topic: "a/b", payload: "1", qos: 1, dup: false, retain: false, messageId: 3 },
    { protocolVersion: 5 },
  );
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.constant(new Uint8Array(publish)),
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
