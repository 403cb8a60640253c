import { readdirSync, readFileSync } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { makeFolder } from "../formats/folder.ts";
import { type StreamReadingsRequest, StreamReadingsRequestSchema } from "../gen/es/telltale/v1/ingest_pb.ts";
import { readingsIn } from "./batch.ts";
import { type Batch, type Buffer as BatchBuffer, Room } from "./buffer.ts";
import { FolderLock } from "./folder-lock.ts";
import type { BufferDamage } from "./types.ts";

/** Settled segments are removed whole: small ones free their place sooner, large ones are fewer files. */
const SEGMENT_BYTES = 8 * 1024 * 1024;
/** Before each record: its length and the CRC-32 of its bytes, 32 bits each, little endian. */
const HEAD_BYTES = 8;
/** No batch is near this; a larger length means a damaged file. */
const MAX_RECORD_BYTES = 64 * 1024 * 1024;
/** While the disk is full, it is retried this often, or when settled batches have freed their place. */
const DISK_FULL_RETRY_MS = 1_000;

interface Segment {
  readonly number: number;
  readonly file: FileHandle;
  readonly path: string;
  bytes: number;
  /** Batches in it that are not settled. */
  open: number;
}

interface DiskBatch extends Batch {
  readonly segment: Segment;
  readonly at: number;
  readonly length: number;
}

/**
 * Batches in append-only segment files, each record with its checksum. A record that is damaged or that a crash cut off is left out, and
 * reported. A segment is removed when all of its batches are settled; after a crash, some settled batches are therefore
 * resent, which the server recognises by epoch and sequence.
 *
 * One process at a time has the folder.
 */
export class DiskBuffer implements BatchBuffer {
  readonly #folder: string;
  readonly #room: Room;
  readonly #sync: boolean;
  readonly #onDamage: (damage: BufferDamage) => void;
  #segments: Segment[] = [];
  #removals: Promise<unknown>[] = [];
  #lock: FolderLock | undefined;
  /** Resolves when the batch that is being written is on disk or given up. */
  #writing: Promise<unknown> = Promise.resolve();

  constructor(
    folder: string,
    maxBytes: number,
    fsync: "never" | "batch",
    onDamage: (damage: BufferDamage) => void = () => {},
  ) {
    this.#folder = folder;
    this.#room = new Room(maxBytes);
    this.#sync = fsync === "batch";
    this.#onDamage = onDamage;
  }

  async open(): Promise<readonly Batch[]> {
    makeFolder(this.#folder, 0o700);
    this.#lock = FolderLock.take(this.#folder);
    const names = readdirSync(this.#folder).filter((name) => /^\d{10}\.seg$/.test(name));
    const batches: Batch[] = [];
    for (const name of names.sort()) batches.push(...(await this.#read(name)));
    return batches;
  }

  async append(request: StreamReadingsRequest, count: number): Promise<Batch> {
    const body = toBinary(StreamReadingsRequestSchema, request);
    const record = Buffer.allocUnsafe(HEAD_BYTES + body.length);
    record.writeUInt32LE(body.length, 0);
    record.writeUInt32LE(crc32(body), 4);
    record.set(body, HEAD_BYTES);
    await this.#room.take(record.length);
    try {
      const written = this.#write(record);
      this.#writing = Promise.allSettled([written]);
      const { segment, at } = await written;
      segment.open++;
      const { epoch, sequence } = request;
      const batch: DiskBatch = { epoch, sequence, count, segment, at: at + HEAD_BYTES, length: body.length };
      return batch;
    } catch (error) {
      this.#room.give(record.length);
      throw error;
    }
  }

  async load(batch: Batch): Promise<StreamReadingsRequest> {
    const { segment, at, length } = batch as DiskBatch;
    const bytes = Buffer.allocUnsafe(length);
    const { bytesRead } = await segment.file.read(bytes, 0, length, at);
    if (bytesRead < length) throw new Error(`${segment.path} was cut short by another program.`);
    return fromBinary(StreamReadingsRequestSchema, bytes);
  }

  release(batch: Batch): void {
    const { segment, length } = batch as DiskBatch;
    segment.open--;
    this.#room.give(length + HEAD_BYTES);
    if (segment.open > 0 || segment === this.#segments.at(-1)) return;
    this.#segments = this.#segments.filter((each) => each !== segment);
    this.#removals.push(discard(segment));
  }

  async close(): Promise<void> {
    this.#room.close();
    // Else its file would be closed between its bytes and their sync, and what is there be called lost.
    await this.#writing;
    await Promise.all(this.#removals.splice(0));
    for (const segment of this.#segments.splice(0))
      await (segment.open === 0 ? discard(segment) : segment.file.close());
    this.#lock?.release();
    this.#lock = undefined;
  }

  /** Writes at the end of the last segment; where the disk is full, waits for room and retries. */
  async #write(record: Uint8Array): Promise<{ segment: Segment; at: number }> {
    for (;;) {
      const segment = await this.#segmentFor(record.length);
      const at = segment.bytes;
      try {
        await segment.file.write(record, 0, record.length, at).then(({ bytesWritten }) => {
          if (bytesWritten < record.length) throw Object.assign(new Error("short write"), { code: "ENOSPC" });
        });
        if (this.#sync) await segment.file.datasync();
        segment.bytes += record.length;
        return { segment, at };
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code !== "ENOSPC" && code !== "EDQUOT") throw error;
        if (segment.open === 0 && at > 0) {
          // Everything in it is settled: its place is the room that is wanted.
          this.#segments = this.#segments.filter((each) => each !== segment);
          await discard(segment);
          continue;
        }
        await segment.file.truncate(at);
        await this.#untilFreed();
      }
    }
  }

  async #untilFreed(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const pause = new Promise((resolve) => {
      timer = setTimeout(resolve, DISK_FULL_RETRY_MS);
    });
    await Promise.race([this.#room.freed(), pause]);
    clearTimeout(timer);
    if (this.#room.isClosed) throw new Error("The client is closed.");
  }

  async #segmentFor(bytes: number): Promise<Segment> {
    const last = this.#segments.at(-1);
    if (last && (last.bytes === 0 || last.bytes + bytes <= SEGMENT_BYTES)) return last;
    const number = (last?.number ?? 0) + 1;
    const path = join(this.#folder, `${String(number).padStart(10, "0")}.seg`);
    const segment: Segment = { number, path, file: await open(path, "w+", 0o600), bytes: 0, open: 0 };
    // The bytes of a file are on disk by its own sync, its name by that of the folder.
    if (this.#sync) await syncFolder(this.#folder);
    this.#segments.push(segment);
    if (last && last.open === 0) {
      this.#segments = this.#segments.filter((each) => each !== last);
      this.#removals.push(discard(last));
    }
    return segment;
  }

  async #read(name: string): Promise<Batch[]> {
    const path = join(this.#folder, name);
    const bytes = readFileSync(path);
    const segment: Segment = {
      number: Number.parseInt(name, 10),
      path,
      file: await open(path, "r+"),
      bytes: 0,
      open: 0,
    };
    const batches: DiskBatch[] = [];
    let at = 0;
    while (at + HEAD_BYTES <= bytes.length) {
      const length = bytes.readUInt32LE(at);
      const start = at + HEAD_BYTES;
      const body = bytes.subarray(start, start + length);
      // No batch is empty: zeros are what a file system has where it knows the length and not the bytes.
      if (length === 0 || length > MAX_RECORD_BYTES || body.length < length) break;
      const isWhole = crc32(body) === bytes.readUInt32LE(at + 4);
      const from = at;
      at = start + length;
      if (!isWhole) {
        // Those behind it may be whole.
        this.#onDamage({ path, at: from, bytes: at - from });
        continue;
      }
      const request = fromBinary(StreamReadingsRequestSchema, body);
      const { epoch, sequence } = request;
      batches.push({ epoch, sequence, count: readingsIn(request), segment, at: start, length });
      segment.bytes = at;
      segment.open++;
      this.#room.give(-(HEAD_BYTES + length)); // it is there already, also where that is beyond the bound
    }
    if (at < bytes.length) this.#onDamage({ path, at, bytes: bytes.length - at });
    if (segment.bytes < bytes.length) await segment.file.truncate(segment.bytes);
    this.#segments.push(segment);
    return batches;
  }
}

async function discard(segment: Segment): Promise<void> {
  await segment.file.close();
  await rm(segment.path, { force: true });
}

async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return; // which opens no folders, and has the name on disk with the file
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
