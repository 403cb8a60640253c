import { mkdtemp, readdir, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { arrowOf } from "../../../../testing/columnar/arrow.ts";
import { parquetOf } from "../../../../testing/columnar/parquet.ts";
import { ColumnarUploads } from "./columnar.ts";
import type { BulkOptions } from "./parameters.ts";
import type { BulkSource } from "./source.ts";

const readings = Array.from({ length: 100 }, (_, i) => ({ sensorId: "a", timeUs: i * 1e6, value: i }));
const options = (format: "parquet" | "arrow"): BulkOptions => ({ format, dryRun: false, csv: {} });
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
  const source = await uploads.open(pieces(bytes), options("parquet"), () => {});
  expect([await readdir(folder), await spooled()]).toEqual([[], 1]);
  expect(await count(source)).toBe(100);
  await source.close?.();
  expect(await spooled()).toBe(0);
  const failure = new Error("the caller is gone");
  await expect(uploads.open(pieces(bytes, failure), options("parquet"), () => {})).rejects.toBe(failure);
  await expect(uploads.open(pieces(Buffer.from("PAR1 no")), options("parquet"), () => {})).rejects.toThrow(/damaged/);
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
      const source = await uploads.open(watched(), options("arrow"), () => {});
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
  const refused = uploads.open(pieces(parquetOf(readings)), options("parquet"), () => {});
  await expect(refused).rejects.toMatchObject({ status: 413, message: expect.stringMatching(/as an Arrow stream/) });
  const file = uploads.open(pieces(await arrowOf(readings, { form: "file" })), options("arrow"), () => {});
  await expect(file).rejects.toMatchObject({ status: 413 });
  const stream = await uploads.open(pieces(await arrowOf(readings)), options("arrow"), () => {});
  expect(await count(stream)).toBe(100);
  await stream.close?.();
});

it("more at once than there is memory for are told to come later, until one has ended", async () => {
  const uploads = new ColumnarUploads(1);
  const open = async () => uploads.open(pieces(await arrowOf(readings)), options("arrow"), () => {});
  const first = await open();
  await expect(open()).rejects.toMatchObject({ kind: "exhausted", retryAfterMs: expect.any(Number) });
  await first.close?.();
  const second = await open();
  await second.close?.();
});
