/**
 * Attackers as a process of their own: `node bench/attackers.ts KIND GRPC_URL HTTP_URL` goes on until it is ended, and then prints
 * what it did.
 */
import http2 from "node:http2";
import net from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { gzipSync } from "node:zlib";

/** Unpacked bytes of a bomb. */
const BOMB_BYTES = 256 * 1024 * 1024;
const CONNECTIONS = 1_000;
/** Attackers of a kind that work at the same time. */
const AT_ONCE = 8;

type Attack = (grpc: string, http: string) => Promise<void>;

let done = 0;
let refused = 0;

export const attacks: Readonly<Record<string, Attack>> = {
  "a thousand slow connections": async (grpc, http) => {
    const ports = [grpc, http].map(portOf);
    await Promise.all(Array.from({ length: CONNECTIONS }, (_, i) => forever(() => drip(ports[i % 2]!))));
  },
  "streams opened and reset": (grpc) => atOnce(2, () => resets(grpc)),
  "headers without end, HTTP/2": (grpc) => atOnce(AT_ONCE, () => continuations(portOf(grpc))),
  "headers without end, HTTP/1.1": (grpc, http) =>
    atOnce(AT_ONCE, async () => {
      await endless(portOf(grpc));
      await endless(portOf(http));
    }),
  "gzip bombs of 256 MB": (grpc, http) => {
    const body = gzipSync(Buffer.alloc(BOMB_BYTES));
    const headers = { "content-type": "application/json", "content-encoding": "gzip" };
    const post = (url: string) => fetch(url, { method: "POST", headers, body }).then((answer) => answer.text());
    return atOnce(AT_ONCE, async () => {
      await post(`${grpc}/telltale.v1.IngestService/SubmitReadings`);
      await post(`${http}/api/v1/sensors/data`);
    });
  },
  "invalid tokens": (grpc, http) => {
    const guess = () => `Bearer tt_${hex(16)}_${hex(43)}`;
    const ask = (url: string, method: string, body?: string) => {
      const headers = { authorization: guess(), "content-type": "application/json" };
      return fetch(url, { method, headers, ...(body === undefined ? {} : { body }) }).then((answer) => answer.text());
    };
    return atOnce(AT_ONCE, async () => {
      await ask(`${grpc}/telltale.v1.QueryService/ListReadings`, "POST", "{}");
      await ask(`${http}/api/v1/sensors/data`, "GET");
    });
  },
  "GraphQL a thousand deep": (_, http) => {
    const body = JSON.stringify({ query: `{ sensorData ${"{ id ".repeat(1_000)}${"}".repeat(1_001)}` });
    const headers = { "content-type": "application/json" };
    return atOnce(AT_ONCE, async () => {
      await (await fetch(`${http}/api/v1/graphql`, { method: "POST", headers, body })).text();
    });
  },
};

async function drip(port: number): Promise<void> {
  const socket = open(port);
  socket.write("POST /api/v1/sensors/data HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
  while (!socket.destroyed) {
    await delay(500);
    if (!socket.destroyed) socket.write("x");
  }
}

async function resets(url: string): Promise<void> {
  const session = http2.connect(url);
  session.on("error", () => undefined); // the server ends it: what is to be seen
  const headers = {
    ":method": "POST",
    ":path": "/telltale.v1.QueryService/ListSensors",
    "content-type": "application/grpc",
  };
  while (!session.closed && !session.destroyed) {
    for (let i = 0; i < 200 && !session.closed && !session.destroyed; i++) {
      const stream = session.request(headers);
      stream.on("error", () => undefined); // it was reset by ourselves
      stream.close(http2.constants.NGHTTP2_CANCEL);
    }
    await delay(1);
  }
}

async function continuations(port: number): Promise<void> {
  const socket = open(port);
  const header = Buffer.concat([Buffer.from([0x10, 1, 0x61, 0x7f, 0xe9, 0x06]), Buffer.alloc(1_000, 0x62)]);
  const more = frame(9, Buffer.concat(Array(15).fill(header)));
  socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  socket.write(frame(4, Buffer.alloc(0), 0));
  socket.write(frame(1, header));
  await pour(socket, () => more);
}

async function endless(port: number): Promise<void> {
  const socket = open(port);
  socket.write("GET /health HTTP/1.1\r\nHost: localhost\r\n");
  let line = 0;
  await pour(socket, () => `x-${line++}: ${"y".repeat(8_000)}\r\n`);
}

/** Writes for as long as the server takes it. */
async function pour(socket: net.Socket, next: () => string | Buffer): Promise<void> {
  const closed = new Promise((resolve) => socket.once("close", resolve));
  while (!socket.destroyed) {
    if (!socket.write(next())) await Promise.race([new Promise((resolve) => socket.once("drain", resolve)), closed]);
  }
}

function frame(type: number, payload: Buffer, stream = 1): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

function open(port: number): net.Socket {
  const socket = net.connect(port, "127.0.0.1");
  socket.on("error", () => undefined); // being cut off is the usual end
  return socket.resume();
}

async function atOnce(count: number, attack: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: count }, () => forever(attack)));
}

async function forever(attack: () => Promise<void>): Promise<never> {
  for (;;) {
    // A refused connection is an answer like any other; the next try follows.
    await attack().catch(() => refused++);
    done++;
    await delay(0);
  }
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}

function hex(length: number): string {
  return Array.from({ length }, () => Math.floor(Math.random() * 16).toString(16)).join("");
}

if (import.meta.main) {
  const [kind = "", grpc = "", http = ""] = process.argv.slice(2);
  process.once("SIGTERM", () => {
    process.stdout.write(`${done} ${refused}\n`, () => process.exit(0));
  });
  const attack = attacks[kind];
  if (attack === undefined) throw new Error(`There is no attack "${kind}".`);
  await attack(grpc, http);
}
