import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { SortedReadings } from "../../formats/csv/sorted.ts";
import { append, openUnnamed } from "../../formats/unnamed.ts";
import { run as runProgram } from "../../testing/cli.ts";
import { arrowOf } from "../../testing/columnar/arrow.ts";
import { noDisk, SmallDisk } from "../../testing/small-disk.ts";

/** Four pages: a file of more takes a part of a write, and then none. */
const ROOM_BYTES = 16 * 1024;

describe.skipIf(noDisk !== undefined)(`a temporary folder that is full [${noDisk ?? "16 KiB"}]`, () => {
  const folder = mkdtempSync(join(tmpdir(), "telltale-unnamed-"));
  let disk: SmallDisk;
  beforeAll(() => {
    disk = new SmallDisk(join(folder, "disk"), String(ROOM_BYTES));
  });
  beforeEach(() => vi.stubEnv("TMPDIR", disk.folder));
  afterEach(() => vi.unstubAllEnvs());
  afterAll(() => {
    disk?.remove();
    rmSync(folder, { recursive: true, force: true });
  });
  const full = () => `The temporary folder ${disk.folder} is full: make room there, or set TMPDIR to a folder`;

  test("takes all of a write or refuses it, and has its room again when the file is closed", async () => {
    for (let round = 0; round < 2; round++) {
      const file = await openUnnamed("telltale-");
      await append(file, Buffer.alloc(ROOM_BYTES / 2));
      await expect(append(file, Buffer.alloc(ROOM_BYTES))).rejects.toThrow(full());
      await file.close();
      expect(readdirSync(disk.folder)).toEqual([]);
    }
  });

  test("loses no readings that are sorted there", async () => {
    // Of the second piece, which is the last, there is room for a third.
    const sorted = new SortedReadings(500);
    try {
      for (let i = 0; i < 1_000; i++) await sorted.add(i, i, 0, i);
      await expect(Array.fromAsync(sorted)).rejects.toThrow(full());
    } finally {
      await sorted.dispose();
    }
  });

  test("is named by a command, and not the file that is read", async () => {
    const readings = Array.from({ length: 2_000 }, (_, i) => ({ sensorId: "a", timeUs: i * 1e6, value: Math.sin(i) }));
    const file = join(folder, "readings.arrow");
    writeFileSync(file, await arrowOf(readings, { form: "file" }));
    const main = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));
    const run = runProgram(
      "sh",
      ["-c", 'exec "$0" "$1" send - --url http://127.0.0.1:9 < "$2"', process.execPath, main, file],
      {},
    );
    expect(await run.ended).toBe(1);
    expect(run.stderr()).toContain(full());
  });
});
