import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { Random } from "../../testing/random.ts";
import { ModbusConnection } from "./connection.ts";

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);

test(`whatever a device answers, a request ends: with what was asked for or with an error (seed ${seed})`, async () => {
  const random = new Random(seed);
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (request: Buffer) => {
      const bytes = Buffer.from(Array.from({ length: random.between(1, 40) }, () => random.between(0, 255)));
      // Often with a head that fits the request, so that more than that is looked at.
      if (random.between(0, 2) > 0) request.copy(bytes, 0, 0, random.between(4, 8));
      if (random.between(0, 1) > 0 && bytes.length > 6) bytes.writeUInt16BE(bytes.length - 6, 4);
      socket.write(bytes);
      if (random.between(0, 3) === 0) socket.end();
    });
  }).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const tables = ["holding", "input", "coil", "discrete"] as const;
  for (let i = 0; i < 200; i++) {
    const connection = await ModbusConnection.open({ host: "127.0.0.1", port }, 1_000);
    const table = tables[i % tables.length]!;
    const read = { table, address: 0, count: 3, registers: [] };
    const answer = await connection.read(1, read, 20).catch((error: unknown) => error);
    if (answer instanceof Uint8Array) expect(answer).toHaveLength(6);
    else expect(answer).toBeInstanceOf(Error);
    connection.close();
  }
}, 60_000);
