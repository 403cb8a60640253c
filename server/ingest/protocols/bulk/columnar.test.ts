import { mkdtemp, readdir, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { arrowOf } from "../../../../testing/columnar/arrow.ts";
import { parquetOf } from "../../../../testing/columnar/parquet.ts";
import { noDisk, SmallDisk } from "../../../../testing/small-disk.ts";
import { anonymous } from "../../../security/principal.ts";
import type { StreamedRequest } from "../../protocol.ts";
import { ColumnarUploads, type OpenedUpload } from "./columnar.ts";
import { bulkUpload } from "./handler.ts";
import type { BulkSource } from "./source.ts";

const readings = Array.from({ length: 100 }, (_, i) => ({ sensorId: "a", timeUs: i * 1e6, value: i }));
const upload = (format: "parquet" | "arrow", who = "ann"): OpenedUpload => ({
  ...{ who, options: { format, dryRun: false, csv: {} }, refuse: () => {} },
});
const PIECE = 256;

async function* pieces(bytes: Uint8Array, failure?: Error) {
  for (let at = 0; at < bytes.length; at += PIECE) yield bytes.subarray(at, at + PIECE);
  if (failure !== undefined) throw failure;
}

let folder: string;
const { TMPDIR } = process.env;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "telltale-spool-"));
  process.env.TMPDIR = folder;
});
afterAll(async () => {
  if (TMPDIR === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = TMPDIR;
  await rm(folder, { recursive: true, force: true });
});

/** Files that this process has open in the folder, those without a name too. */
async function spooled(): Promise<number> {
  const open = await readdir("/proc/self/fd");
  const links = await Promise.all(open.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")));
  return links.filter((link) => link.startsWith(folder)).length;
}

async function count(source: BulkSource): Promise<number> {
  let points = 0;
  for await (const some of source.points()) points += some.length;
  return points;
}

it("a file has no name while it is read, and is gone when it has been, or was not understood, or did not come to its end", async () => {
  const uploads = new ColumnarUploads();
  const bytes = parquetOf(readings);
  const source = await uploads.open(pieces(bytes), upload("parquet"));
  expect([await readdir(folder), await spooled()]).toEqual([[], 1]);
  expect(await count(source)).toBe(100);
  await source.close?.();
  expect(await spooled()).toBe(0);
  const failure = new Error("the caller is gone");
  await expect(uploads.open(pieces(bytes, failure), upload("parquet"))).rejects.toBe(failure);
  await expect(uploads.open(pieces(Buffer.from("PAR1 no")), upload("parquet"))).rejects.toThrow(/damaged/);
  expect([await readdir(folder), await spooled()]).toEqual([[], 0]);
});

it("a stream that is refused in the middle is ended, and so is one whose format is not read", async () => {
  const uploads = new ColumnarUploads(1);
  const bytes = await arrowOf(readings, { batchRows: 10 });
  for (const body of [bytes.subarray(0, 3_000), Buffer.from("FEA1 and more"), Buffer.from("neither")]) {
    let isEnded = false;
    async function* watched() {
      try {
        yield* pieces(body);
        // More would come.
        yield Buffer.alloc(1);
      } finally {
        isEnded = true;
      }
    }
    const read = async () => {
      const source = await uploads.open(watched(), upload("arrow"));
      try {
        await count(source);
      } finally {
        await source.close?.();
      }
    };
    await expect(read()).rejects.toThrow(/damaged|Feather version 1|begins as no such file/);
    expect(isEnded).toBe(true);
  }
});

it("a file that is too large is refused with what to do, and an Arrow stream of that size is not", async () => {
  const uploads = new ColumnarUploads(1, 1_000);
  const refused = uploads.open(pieces(parquetOf(readings)), upload("parquet"));
  await expect(refused).rejects.toMatchObject({ status: 413, message: expect.stringMatching(/as an Arrow stream/) });
  const file = uploads.open(pieces(await arrowOf(readings, { form: "file" })), upload("arrow"));
  await expect(file).rejects.toMatchObject({ status: 413 });
  const stream = await uploads.open(pieces(await arrowOf(readings)), upload("arrow"));
  expect(await count(stream)).toBe(100);
  await stream.close?.();
});

it("a file without readings is read no further when its caller is gone", async () => {
  const caller = new AbortController();
  const rows = 100_000;
  const missing = Array.from({ length: rows }, (_, i) => ({ sensorId: "a", timeUs: i * 1e6, value: Number.NaN }));
  async function* body() {
    yield* pieces(parquetOf(missing));
    caller.abort(new Error("the caller is gone"));
  }
  const none = () => Promise.reject(new Error("there is nothing to store"));
  const request: StreamedRequest = {
    ...{ who: "ann", principal: anonymous, skip: () => {}, submit: none, settled: none },
    ...{ headers: new Headers(), query: new URLSearchParams({ format: "parquet" }) },
    ...{ body: body(), signal: caller.signal },
  };
  await expect(bulkUpload().handleStream(request)).rejects.toThrow("the caller is gone");
  expect(await spooled()).toBe(0);
});

it("more at once than there is memory for are told to come later, until one has ended", async () => {
  const uploads = new ColumnarUploads(1);
  const open = async () => uploads.open(pieces(await arrowOf(readings)), upload("arrow"));
  const first = await open();
  await expect(open()).rejects.toMatchObject({ kind: "exhausted", retryAfterMs: expect.any(Number) });
  await first.close?.();
  const second = await open();
  await second.close?.();
});

it("one caller leaves places to others", async () => {
  const uploads = new ColumnarUploads(4);
  const open = async (who: string) => uploads.open(pieces(await arrowOf(readings)), upload("arrow", who));
  const sources = [await open("ann"), await open("ann")];
  await expect(open("ann")).rejects.toMatchObject({ kind: "exhausted", message: expect.stringMatching(/2 of 2/) });
  sources.push(await open("bob"), await open("cleo"));
  await expect(open("dan")).rejects.toMatchObject({ kind: "exhausted" });
  // Closed twice, it gives its place back once.
  await sources[0]!.close?.();
  await sources[0]!.close?.();
  sources.push(await open("dan"));
  await expect(open("eve")).rejects.toMatchObject({ kind: "exhausted" });
  for (const source of sources) await source.close?.();
});

describe.skipIf(noDisk !== undefined)(`a temporary folder of little room [${noDisk ?? "8 KiB"}]`, () => {
  let disk: SmallDisk;
  beforeAll(() => {
    disk = new SmallDisk(join(folder, "disk"), "8k");
    process.env.TMPDIR = disk.folder;
  });
  afterAll(() => {
    process.env.TMPDIR = folder;
    disk?.remove();
  });

  it("refuses a file with what to do, keeps nothing of it, and takes an Arrow stream", async () => {
    const uploads = new ColumnarUploads(1);
    const many = Array.from({ length: 2_000 }, (_, i) => ({ sensorId: "a", timeUs: i * 1e6, value: Math.sin(i) }));
    const file = await arrowOf(many, { form: "file" });
    for (const format of ["parquet", "arrow"] as const) {
      const body = format === "parquet" ? parquetOf(many) : file;
      await expect(uploads.open(pieces(body), upload(format))).rejects.toMatchObject({
        ...{ kind: "exhausted", reason: "STORAGE_FULL", retryAfterMs: expect.any(Number) },
        message: expect.stringMatching(/temporary folder has no room.* Arrow stream needs none.*try again later/),
      });
      expect([await readdir(disk.folder), await spooled()]).toEqual([[], 0]);
    }
    const stream = await uploads.open(pieces(await arrowOf(many)), upload("arrow"));
    expect(await count(stream)).toBe(2_000);
    await stream.close?.();
  });
});
