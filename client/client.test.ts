import { once } from "node:events";
import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { createServer, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { afterEach, describe, expect, test } from "vitest";
import { IngestService, RefusalReason, type StreamReadingsRequest } from "../gen/es/telltale/v1/ingest_pb.ts";
import { readingAt, readingsIn } from "./batch.ts";
import {
  type BufferDamage,
  createDeviceClient,
  type DeviceClient,
  type DeviceClientOptions,
  type RefusedReading,
} from "./index.ts";

const cleanups: (() => unknown)[] = [];

/** A disk whose syncs begin and take until it is told to go on. */
async function slowSync(folder: string) {
  const file = await open(join(folder, "probe"), "w");
  const prototype: FileHandle = Object.getPrototypeOf(file);
  await file.close();
  rmSync(join(folder, "probe"));
  const syncing = Promise.withResolvers<void>();
  const going = Promise.withResolvers<void>();
  const { datasync } = prototype;
  prototype.datasync = async function (this: FileHandle) {
    syncing.resolve();
    await going.promise;
    return await datasync.call(this);
  };
  cleanups.push(() => {
    prototype.datasync = datasync;
    going.resolve();
  });
  return { syncing: syncing.promise, goOn: going.resolve };
}
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

/**
 * A listener that keeps the contract of StreamReadings in memory, and misbehaves on demand: what the connection does to a client
 * is the matter here. The whole platform is in test/e2e.
 */
class Listener {
  readonly stored = new Map<string, number>();
  readonly seen = new Map<string, number>();
  readonly arrivals: string[] = [];
  credit = 10_000;
  /** Called with each batch before it is taken; may throw. */
  before: (request: StreamReadingsRequest, number: number) => unknown = () => {};
  largestOpen = 0;
  #batches = 0;
  #server: Http2Server | undefined;
  #sessions = new Set<ServerHttp2Session>();
  port = 0;

  async listen(): Promise<string> {
    const handler = connectNodeAdapter({
      routes: (router) => router.service(IngestService, { streamReadings: (requests) => this.#stream(requests) }),
    });
    this.#server = createServer(handler).listen(this.port, "127.0.0.1");
    this.#server.on("session", (session) => this.#sessions.add(session.on("error", () => {})));
    await once(this.#server, "listening");
    this.port = (this.#server.address() as AddressInfo).port;
    return `http://127.0.0.1:${this.port}`;
  }

  async cut(): Promise<void> {
    for (const session of this.#sessions) session.destroy();
    this.#sessions.clear();
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    const closed = once(server, "close");
    server.close();
    await this.cut();
    await closed;
  }

  async *#stream(requests: AsyncIterable<StreamReadingsRequest>) {
    let last: bigint | undefined;
    for await (const request of requests) {
      const isNext = last === undefined || request.sequence === last + 1n;
      if (!isNext) throw new ConnectError(`sequence ${request.sequence} follows ${last}`, Code.InvalidArgument);
      last = request.sequence;
      await this.before(request, ++this.#batches);
      this.largestOpen = Math.max(this.largestOpen, readingsIn(request));
      const key = `${request.epoch}/${request.sequence}`;
      this.arrivals.push(key);
      const refusals = [];
      let rejected = 0;
      const known = this.seen.has(key);
      for (let index = 0; index < readingsIn(request); index++) {
        const { sensorId, value, observedAtUs } = readingAt(request, index);
        if (Number.isNaN(value)) {
          rejected++;
          refusals.push({
            sequence: request.sequence,
            index,
            reason: RefusalReason.INVALID,
            field: "value",
            message: "NaN",
          });
        } else if (!known) {
          const name = `${sensorId}@${observedAtUs}`;
          this.stored.set(name, (this.stored.get(name) ?? 0) + 1);
        }
      }
      this.seen.set(key, readingsIn(request));
      const accepted = BigInt(readingsIn(request) - rejected);
      yield {
        durableSequence: request.sequence,
        settledSequence: request.sequence,
        counts: { accepted, rejected: BigInt(rejected) },
        refusals,
        credit: this.credit,
      };
    }
  }
}

async function listener(): Promise<{ listener: Listener; url: string }> {
  const it = new Listener();
  const url = await it.listen();
  cleanups.push(() => it.close());
  return { listener: it, url };
}

function client(url: string, options: Partial<DeviceClientOptions> = {}): DeviceClient {
  const it = createDeviceClient({ url, producer: "test", batchReadings: 10, maxBackoffMs: 50, ...options });
  cleanups.push(() => it.close());
  return it;
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "telltale-buffer-"));
  cleanups.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const reading = (n: number, sensor = "s") => ({
  sensorId: sensor,
  sensorType: "temperature",
  unit: "C",
  value: n,
  observedAtUs: 1_700_000_000_000_000 + n * 1_000_000,
});

async function sendMany(to: DeviceClient, from: number, until: number): Promise<void> {
  for (let n = from; n < until; n++) await to.send(reading(n));
}

function expectOnce(stored: Map<string, number>, count: number): void {
  expect(stored.size).toBe(count);
  expect([...stored.values()].every((times) => times === 1)).toBe(true);
}

describe("the device client", () => {
  test("delivers readings and blocks and counts what became of them", async () => {
    const { listener: at, url } = await listener();
    const to = client(url);
    await sendMany(to, 0, 95);
    await to.sendBlock({ sensorId: "b", sensorType: "t", unit: "C", timesUs: [1, 2, 3, 2], values: [1, 2, 3, 4] });
    await to.send({ sensorId: "c", sensorType: "t", unit: "C", value: 1, metadata: { why: "none" } });
    const counts = await to.flush();
    expect(counts.accepted).toBe(100n);
    expect(at.stored.get("b@2")).toBe(2); // an odd test of its own: the same time twice, in the order given
    expect(to.progress).toMatchObject({ taken: 100, durable: 100, settled: 100 });
  });

  test("delivers each reading once while the connection is cut again and again", async () => {
    const { listener: at, url } = await listener();
    at.before = (_, number) => (number % 7 === 0 ? at.cut() : undefined);
    const states: boolean[] = [];
    const to = client(url, { onConnection: ({ connected }) => states.push(connected) });
    await sendMany(to, 0, 500);
    expect((await to.flush()).accepted).toBe(500n);
    expectOnce(at.stored, 500);
    expect(states).toContain(false);
  });

  test("waits for a server that is away, tries again with pauses, and goes on by itself", async () => {
    const { listener: at, url } = await listener();
    await at.close();
    const reasons: string[] = [];
    const retry = Promise.withResolvers<void>();
    const to = client(url, {
      onConnection: ({ reason }) => {
        if (reason) reasons.push(reason);
        if (reasons.length === 3) retry.resolve();
      },
    });
    await sendMany(to, 0, 30);
    await retry.promise;
    await at.listen();
    expect((await to.flush()).accepted).toBe(30n);
    expect(reasons[0]).toMatch(/ECONNREFUSED/);
  });

  test("gives up with the server's own words where trying again is useless", async () => {
    const { listener: at, url } = await listener();
    at.before = () => {
      throw new ConnectError("this token is not known", Code.Unauthenticated);
    };
    const to = client(url);
    await to.send(reading(1));
    await expect(to.flush()).rejects.toThrow("this token is not known");
    await expect(to.send(reading(2))).rejects.toThrow("this token is not known");
  });

  test.each([Code.Unauthenticated, Code.PermissionDenied])(
    "tries again with the next token where the token comes from a function (code %s)",
    async (code) => {
      const { listener: at, url } = await listener();
      at.before = (_, number) => {
        if (number === 1) throw new ConnectError("not with this token", code);
      };
      const to = client(url, { token: () => "t" });
      await to.send(reading(1));
      expect((await to.flush()).accepted).toBe(1n);
    },
  );

  test("hands back each refused reading with the reason", async () => {
    const { url } = await listener();
    const refused: RefusedReading[] = [];
    const to = client(url, { onRefusal: (each) => refused.push(each) });
    await to.send(reading(1));
    await to.send({ ...reading(2), value: Number.NaN });
    const counts = await to.flush();
    expect(counts).toMatchObject({ accepted: 1n, rejected: 1n });
    expect(refused.map(({ reading: { observedAtUs }, refusal }) => [observedAtUs, refusal.field])).toEqual([
      [reading(2).observedAtUs, "value"],
    ]);
  });

  test("makes the sender wait when its buffer is full, and drops nothing", async () => {
    const { listener: at, url } = await listener();
    await at.close();
    const to = client(url, { maxBufferBytes: 1_000 });
    let sent = 0;
    const sending = (async () => {
      for (; sent < 300; sent++) await to.send(reading(sent));
    })();
    await expect.poll(() => sent).toBeGreaterThan(20);
    const before = sent;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(sent).toBe(before);
    expect(sent).toBeLessThan(200);
    await at.listen();
    await sending;
    expect((await to.flush()).accepted).toBe(300n);
    expectOnce(at.stored, 300);
  });
});

test("names what is wrong with its options", () => {
  const make = (options: object) => () => createDeviceClient(options as DeviceClientOptions);
  expect(make({ url: "http://127.0.0.1:1" })).toThrow("producer is undefined, but must have 1 to 100 characters.");
  expect(make({ url: "nonsense", producer: "p" })).toThrow('The address is "nonsense"');
});

/** A buffer with what a client could not send before it was closed: the server does not listen. */
async function keptOnDisk(count: number) {
  const { listener: at, url } = await listener();
  const bufferDir = folder();
  await at.close();
  const first = client(url, { bufferDir });
  await sendMany(first, 0, count);
  await first.close();
  return { at, url, bufferDir };
}

describe("the buffer on disk", () => {
  test("keeps what was not settled for the next client, under its old epoch and sequence", async () => {
    const { at, url, bufferDir } = await keptOnDisk(55);
    await at.listen();
    const second = client(url, { bufferDir });
    await sendMany(second, 55, 60);
    expect((await second.flush()).accepted).toBe(60n);
    expectOnce(at.stored, 60);
    expect(new Set(at.arrivals.map((key) => key.split("/")[0])).size).toBe(2);
    expect(at.arrivals.map((key) => key.split("/")[1])).toEqual(["1", "2", "3", "4", "5", "6", "1"]);
    await second.close();
    expect(readdirSync(bufferDir)).toEqual([]);
  });

  test("sends again what was settled but still lay in a segment, with the same sequence", async () => {
    const { listener: at, url } = await listener();
    const bufferDir = folder();
    const first = client(url, { bufferDir });
    await sendMany(first, 0, 20);
    await first.flush();
    await at.close();
    await sendMany(first, 20, 30);
    await first.close();
    await at.listen();
    const second = client(url, { bufferDir });
    await second.flush();
    expectOnce(at.stored, 30);
  });

  test.each([
    ["of which a part is there", Buffer.from([200, 0, 0, 0, 1, 2, 3, 4, 5])],
    ["of which only the length of the file is there, as after a power failure", Buffer.alloc(4_096)],
  ])("drops a record that a crash cut off, %s, and keeps those before it", async (_, left) => {
    const { at, url, bufferDir } = await keptOnDisk(20);
    const segment = readdirSync(bufferDir).find((name) => name.endsWith(".seg"))!;
    appendFileSync(join(bufferDir, segment), left);
    await at.listen();
    const second = client(url, { bufferDir });
    await sendMany(second, 20, 30);
    expect((await second.flush()).accepted).toBe(30n);
    expectOnce(at.stored, 30);
    // A platform refuses for good what has no epoch.
    expect(at.arrivals).not.toContain("0/0");
  });

  test("sends what stands behind a record that is lost", async () => {
    const { at, url, bufferDir } = await keptOnDisk(60);
    // As two segments, of which the system had not written the end of the first when the power failed.
    const bytes = readFileSync(join(bufferDir, "0000000001.seg"));
    const ends = [0];
    while (ends.at(-1)! < bytes.length) ends.push(ends.at(-1)! + 8 + bytes.readUInt32LE(ends.at(-1)!));
    writeFileSync(join(bufferDir, "0000000001.seg"), bytes.subarray(0, ends[2]));
    writeFileSync(join(bufferDir, "0000000002.seg"), bytes.subarray(ends[3]));
    await at.listen();
    const second = client(url, { bufferDir });
    await sendMany(second, 60, 70);
    expect((await second.flush()).accepted).toBe(60n);
    expectOnce(at.stored, 60);
    expect(at.arrivals.map((key) => key.split("/")[1])).toEqual(["1", "2", "4", "5", "6", "1"]);
  });

  test("keeps what stands behind a record that is damaged", async () => {
    const { at, url, bufferDir } = await keptOnDisk(60);
    const segment = join(bufferDir, "0000000001.seg");
    const bytes = readFileSync(segment);
    bytes[8 + bytes.readUInt32LE(0) + 20]! ^= 1;
    writeFileSync(segment, bytes);
    const record = 8 + bytes.readUInt32LE(0);
    await at.listen();
    const damage: BufferDamage[] = [];
    const second = client(url, { bufferDir, onDamage: (each) => damage.push(each) });
    expect((await second.flush()).accepted).toBe(50n);
    expect(at.arrivals.map((key) => key.split("/")[1])).toEqual(["1", "3", "4", "5", "6"]);
    expect(damage).toEqual([{ path: segment, at: record, bytes: 8 + bytes.readUInt32LE(record) }]);
  });

  test("tells of an end that is cut off, and of a length that is damaged with all behind it", async () => {
    for (const [bytesOf, at] of [
      [(bytes: Buffer) => bytes.subarray(0, -1), (ends: number[]) => ends.at(-2)!],
      [(bytes: Buffer, ends: number[]) => bytes.fill(0xff, ends[2], ends[2]! + 4), (ends: number[]) => ends[2]!],
    ] as const) {
      const { url, bufferDir } = await keptOnDisk(60);
      const path = join(bufferDir, "0000000001.seg");
      const whole = readFileSync(path);
      const ends = [0];
      while (ends.at(-1)! < whole.length) ends.push(ends.at(-1)! + 8 + whole.readUInt32LE(ends.at(-1)!));
      const left = bytesOf(whole, ends);
      writeFileSync(path, left);
      const damage: BufferDamage[] = [];
      const second = client(url, { bufferDir, onDamage: (each) => damage.push(each) });
      await second.buffered();
      expect(damage).toEqual([{ path, at: at(ends), bytes: left.length - at(ends) }]);
      await second.close();
    }
  });

  test("closes with an error where its folder cannot be used and a reading was therefore lost", async () => {
    const { url } = await listener();
    const file = join(folder(), "a file");
    writeFileSync(file, "");
    const lost = createDeviceClient({ url, producer: "lost", bufferDir: file });
    await lost.send(reading(1));
    await expect(lost.close()).rejects.toThrow(/EEXIST/);
    const unused = createDeviceClient({ url, producer: "lost", bufferDir: file });
    await unused.close();
  });

  test.skipIf(process.platform !== "linux")("is refused where no folder can be made", async () => {
    const { url } = await listener();
    for (const bufferDir of ["/proc/telltale-buffer", "/proc/telltale-buffer/of/one"]) {
      const lost = createDeviceClient({ url, producer: "lost", bufferDir });
      await expect(lost.flush()).rejects.toThrow("ENOENT: no such file or directory, mkdir '/proc/telltale-buffer'");
      await lost.close();
    }
  });

  test("makes its folder with those above it, readable by nobody else", async () => {
    const { url } = await listener();
    const bufferDir = join(folder(), "a", "b");
    const one = client(url, { bufferDir });
    await one.send(reading(1));
    await one.flush();
    for (const each of [bufferDir, dirname(bufferDir)]) expect(statSync(each).mode & 0o777).toBe(0o700);
  });

  test("has what was taken on disk when it says so, while the server is away", async () => {
    const { listener: at, url } = await listener();
    const bufferDir = folder();
    await at.close();
    // Neither the size of a batch nor the time to gather one is reached.
    const first = client(url, { bufferDir, fsync: "batch", batchReadings: 1_000, lingerMs: 3_600_000 });
    await sendMany(first, 0, 5);
    await first.buffered();
    // As after a crash: what the first one has on disk, without its goodbye.
    const copy = folder();
    cpSync(bufferDir, copy, { recursive: true });
    rmSync(join(copy, "owner.pid"), { recursive: true });
    await at.listen();
    const second = client(url, { bufferDir: copy });
    expect((await second.flush()).accepted).toBe(5n);
    expectOnce(at.stored, 5);
  });

  test("says of a reading whose sync is under way at the close that it is on disk, and waits for it", async () => {
    const { listener: at, url } = await listener();
    const bufferDir = folder();
    await at.close();
    const first = client(url, { bufferDir, fsync: "batch", lingerMs: 3_600_000 });
    await first.send(reading(0));
    await first.buffered();
    // Rejects when the client has stopped to wait for what is on its way.
    const stopped = expect(first.flush()).rejects.toThrow("closed before all was settled");
    const disk = await slowSync(bufferDir);
    await first.send(reading(1));
    const buffered = first.buffered();
    await disk.syncing;
    const closed = first.close();
    await stopped;
    disk.goOn();
    await buffered;
    await closed;
    expect(first.progress).toMatchObject({ taken: 2, buffered: 2 });
    await at.listen();
    const second = client(url, { bufferDir });
    expect((await second.flush()).accepted).toBe(2n);
    expectOnce(at.stored, 2);
  });

  test.each([
    ["of a process that began at another time, as after a restart of the machine", `${process.ppid} 1`],
    ["that a power failure left empty", ""],
  ])("is taken over from an owner %s", async (_, owner) => {
    const { url } = await listener();
    const bufferDir = folder();
    writeFileSync(join(bufferDir, "owner.pid"), owner);
    const one = client(url, { bufferDir });
    await one.send(reading(1));
    expect((await one.flush()).accepted).toBe(1n);
  });

  test.skipIf(process.platform !== "linux")("is refused while the process that holds it lives", async () => {
    const { url } = await listener();
    const bufferDir = folder();
    const began = readFileSync(`/proc/${process.ppid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ")[19];
    writeFileSync(join(bufferDir, "owner.pid"), `${process.ppid} ${began}`);
    await expect(client(url, { bufferDir }).flush()).rejects.toThrow(`is in use by process ${process.ppid}`);
  });

  test("is refused to a second client at the same time", async () => {
    const { url } = await listener();
    const bufferDir = folder();
    const first = client(url, { bufferDir });
    await first.send(reading(1));
    await first.flush();
    const second = client(url, { bufferDir });
    await expect(second.flush()).rejects.toThrow(/is in use by another client of this process/);
  });
});
