import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FolderLock } from "./folder-lock.ts";

/** No process has such a number. */
const GONE = "999999999 1";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "telltale-lock-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function leaveOwner(name: string): void {
  mkdirSync(join(folder, "owner.pid"));
  writeFileSync(join(folder, "owner.pid", name), name);
}

/**
 * Opens the buffer as a process of its own. It stops when it has read who has the folder, until `go` is called: by then the others have read
 * the same.
 */
function taker() {
  const script = `
    import fs from "node:fs";
    import { syncBuiltinESMExports } from "node:module";
    const wait = new Int32Array(new SharedArrayBuffer(4));
    let hasRead = false;
    for (const name of ["readFileSync", "readdirSync"]) {
      const read = fs[name];
      fs[name] = (path, ...more) => {
        try {
          return read(path, ...more);
        } finally {
          if (String(path).endsWith("owner.pid") && !hasRead) {
            hasRead = true;
            fs.writeSync(1, "read\\n");
            while (!fs.existsSync(${JSON.stringify(join(folder, "go"))})) Atomics.wait(wait, 0, 0, 1);
          }
        }
      };
    }
    syncBuiltinESMExports();
    const { DiskBuffer } = await import(${JSON.stringify(new URL("disk-buffer.ts", import.meta.url).href)});
    process.stdin.resume().on("end", () => process.exit());
    await new DiskBuffer(${JSON.stringify(folder)}, 1_000_000, "never").open().then(
      () => fs.writeSync(1, "taken\\n"),
      (error) => fs.writeSync(1, error.message + "\\n"),
    );`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const kill = async () => {
    const exit = once(child, "close");
    child.kill("SIGKILL");
    await exit;
  };
  return { pid: child.pid, said: async () => String((await lines.next()).value), end: () => child.stdin.end(), kill };
}

test.each([
  ["a file of an earlier version", () => writeFileSync(join(folder, "owner.pid"), GONE)],
  ["a directory", () => leaveOwner(GONE)],
])("of processes that find the owner gone at the same moment one has the folder: %s", async (_, leave) => {
  leave();
  const takers = Array.from({ length: 4 }, () => taker());
  try {
    expect(await Promise.all(takers.map(({ said }) => said()))).toEqual(takers.map(() => "read"));
    writeFileSync(join(folder, "go"), "");
    const said = await Promise.all(takers.map(({ said }) => said()));
    expect(said.filter((line) => line === "taken")).toHaveLength(1);
    expect(said.filter((line) => /is in use by process \d+; remove/.test(line))).toHaveLength(3);
  } finally {
    for (const { end } of takers) end();
  }
});

test("nothing is left of a lock that is released, and it can be taken again", () => {
  for (let i = 0; i < 2; i++) {
    FolderLock.take(folder).release();
    expect(readdirSync(folder)).toEqual([]);
  }
});

test("a try that fails leaves nothing behind, and the owner where it was", () => {
  leaveOwner(String(process.ppid));
  expect(() => FolderLock.take(folder)).toThrow(`is in use by process ${process.ppid}`);
  expect(readdirSync(folder)).toEqual(["owner.pid"]);
});

test("what processes leave that were killed while they tried is removed, and of those that still try nothing is", async () => {
  leaveOwner(GONE);
  // It stops where it has read who has the folder, with its own directory beside that.
  const [killed, trying] = [taker(), taker()];
  try {
    await Promise.all([killed.said(), trying.said()]);
    const prepared = (process: { readonly pid: number | undefined }) =>
      readdirSync(folder).filter((name) => name.startsWith(`owner-${process.pid}-`));
    expect([prepared(killed).length, prepared(trying).length]).toEqual([1, 1]);
    await killed.kill();
    writeFileSync(join(folder, "samples.log"), "");
    const lock = FolderLock.take(folder);
    expect(readdirSync(folder).sort()).toEqual(["owner.pid", "samples.log", ...prepared(trying)].sort());
    lock.release();
    writeFileSync(join(folder, "go"), "");
    expect(await trying.said()).toBe("taken");
    expect(existsSync(join(folder, "owner.pid"))).toBe(true);
    expect([...prepared(killed), ...prepared(trying)]).toEqual([]);
  } finally {
    killed.end();
    trying.end();
  }
});
