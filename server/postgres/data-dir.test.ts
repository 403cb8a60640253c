import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { StartupError } from "../errors.ts";
import { claimDataDir } from "./data-dir.ts";

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "tt-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test("a folder is made with those above it, for its owner alone, however often it is claimed one after the other", async () => {
  const path = join(folder(), "a", "b", "c");
  for (let times = 0; times < 2; times++) (await claimDataDir(path)).release();
  expect(statSync(path).mode & 0o777).toBe(0o700);
});

test("a folder that cannot be is refused at once, in a sentence that names variable, value and reason", async () => {
  const some = folder();
  const file = join(some, "file");
  writeFileSync(file, "");
  symlinkSync(join(some, "circle"), join(some, "circle"));
  symlinkSync(join(some, "nowhere"), join(some, "broken"));
  const places = [
    [join(file, "data"), /a part of the path is no folder/],
    [file, /it is no folder/],
    ["/dev/null", /it is no folder/],
    ["/dev/null/x", /a part of the path is no folder/],
    [join(some, "n".repeat(300)), /the name is too long/],
    [join(some, "circle"), /the path's links lead in a circle/],
    [join(some, "circle", "data"), /the path's links lead in a circle/],
    [join(some, "broken"), /the file system takes no new folder there/],
    ...(process.platform === "linux"
      ? ([
          ["/proc/x", /the file system takes no new folder there/],
          ["/proc/x/y/z", /the file system takes no new folder there/],
          ["/sys/x", /permission denied|takes no new folder|read-only/],
        ] as const)
      : []),
  ] as const;
  for (const [path, why] of places) {
    const refused = await claimDataDir(path).catch((error: unknown) => error);
    expect(refused, path).toBeInstanceOf(StartupError);
    const { message } = refused as Error;
    expect(message).toContain(`DATA_DIR is "${path}", which cannot be written (`);
    expect(message).toMatch(why);
    expect(message).toMatch(/: name a folder that this user may write\.$/);
  }
});
