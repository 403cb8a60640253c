import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { StreamReadingsRequestSchema } from "../gen/es/telltale/v1/ingest_pb.ts";
import { SmallDisk } from "../testing/small-disk.ts";
import type { Batch } from "./buffer.ts";
import { DiskBuffer } from "./disk-buffer.ts";

const canMount = process.platform === "linux" && process.getuid?.() === 0;
const name = canMount
  ? "a full disk under the buffer"
  : "a full disk under the buffer [needs root on Linux, to mount one]";

(canMount ? describe : describe.skip)(name, () => {
  test("is named by a start that finds it so, and the next one starts when there is room", async () => {
    const folder = mkdtempSync("/tmp/telltale-full-");
    const disk = new SmallDisk(join(folder, "disk"), "64k");
    try {
      disk.fill();
      const start = () => new DiskBuffer(join(disk.folder, "spool"), 1024, "never");
      await expect(start().open()).rejects.toThrow(`The disk of the buffer ${disk.folder}/spool is full: make room`);
      disk.free();
      const buffer = start();
      expect(await buffer.open()).toEqual([]);
      await buffer.close();
    } finally {
      disk.remove();
      rmSync(folder, { recursive: true });
    }
  });

  test("makes the device wait, loses nothing that was taken, and goes on as settled batches free their place", async () => {
    const folder = mkdtempSync("/tmp/telltale-full-");
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", folder]);
    // It would hold far more than the disk does.
    const buffer = new DiskBuffer(folder, 64 * 1024 * 1024, "never");
    try {
      await buffer.open();
      const request = (sequence: number) =>
        create(StreamReadingsRequestSchema, {
          producer: "device",
          epoch: 1n,
          sequence: BigInt(sequence),
          readings: Array.from({ length: 200 }, (_, i) => ({
            sensorId: `s${i}`,
            sensorType: "t",
            unit: "C",
            value: sequence + i,
          })),
        });
      const taken: Batch[] = [];
      const all = (async () => {
        for (let sequence = 1; sequence <= 200; sequence++) taken.push(await buffer.append(request(sequence), 200));
      })();
      // 200 batches of about 5 kB are four disks full. Settle what stands still until everything went through.
      let settled = 0;
      let stood = 0;
      for (let before = -1; settled < 200; before = taken.length) {
        await Promise.race([all, new Promise((resolve) => setTimeout(resolve, 50))]);
        if (taken.length === before && taken.length < 200) stood++;
        else if (taken.length < 200) continue;
        for (; settled < taken.length; settled++) {
          const batch = taken[settled]!;
          expect((await buffer.load(batch)).readings[7]!.value).toBe(Number(batch.sequence) + 7);
          buffer.release(batch);
        }
      }
      await all;
      expect(stood).toBeGreaterThan(1);
      expect(taken.map((b) => Number(b.sequence))).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
    } finally {
      await buffer.close();
      execFileSync("umount", [folder]);
      rmdirSync(folder);
    }
  }, 60_000);
});
