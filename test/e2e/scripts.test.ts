/** Scripts that start servers: they say what is missing before they start anything, and leave nothing behind, whatever ends them. */
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type CliRun, run, runNode } from "../../testing/cli.ts";

const ROOT = join(import.meta.dirname, "../..");
const EXAMPLE = join(ROOT, "testing/script-example.ts");
/** A platform that is told to end drains first, on a loaded machine. */
const GONE_MS = 60_000;
/** And it may take longer to start. */
const STARTED_MS = 120_000;
const WHOLE_MS = 240_000;

/** A folder for temporary files that servers of another user may enter; by it their processes are found again. */
function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), "tt-"));
  chmodSync(folder, 0o755);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Processes, the asking one not among them, whose temporary files are in the folder. */
function processesOf(folder: string): string[] {
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid))
    .filter((pid) => {
      try {
        if (readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(`TMPDIR=${folder}`)) return true;
        // A database has an environment of its own, and works in its folder.
        return readlinkSync(`/proc/${pid}/cwd`).startsWith(`${folder}/`);
      } catch {
        return false; // it has ended, or is a zombie
      }
    });
}

async function nothingLeft(folder: string): Promise<void> {
  await expect.poll(() => processesOf(folder), { timeout: GONE_MS, interval: 100 }).toEqual([]);
  expect(readdirSync(folder)).toEqual([]);
}

async function started(script: CliRun, pattern: RegExp = /started/): Promise<void> {
  onTestFinished(() => void script.process.kill("SIGTERM"));
  await expect.poll(script.stdout, { timeout: STARTED_MS, interval: 50, message: script.stderr() }).toMatch(pattern);
}

const wanting = [
  [
    ["bench/main.ts"],
    /^npm run bench cannot run: .*redis-server.* not installed \(Debian: apt-get install .*redis-server.*Without them: npm run bench -- --only baseline,score/,
  ],
  [["bench/scaling.ts"], /^npm run bench:scaling cannot run: .*redis-server/],
  [
    ["bench/spark.ts"],
    /^node bench\/spark.ts cannot run: java, mvn, python3.*apt-get install default-jre-headless maven python3/,
  ],
  [["test/spark/tools.ts"], /^Spark cannot be fetched: java, mvn, python3/],
  [["test/spark/stubs.ts"], /^The stubs for Python cannot be made: python3/],
  [["bench/main.ts", "--only", "speed"], /^npm run bench: --only names "speed"; there are baseline, score/],
  [["bench/main.ts", "--only", "score", "--stored", "many"], /^npm run bench: --stored is "many"/],
  [["bench/main.ts", "--only", "score", "--limit", "0"], /^npm run bench: --limit is "0": give a number of minutes/],
  [["bench/at-rate.ts"], /^error: required option '--rate <readings>' not specified/],
  [["bench/at-rate.ts", "--rate", "0"], /^npm run bench:latency: --rate is "0": give a number above 0/],
  [["bench/at-rate.ts", "--rate", "1", "--kafka"], /^npm run bench:latency cannot run: .*redis-server/],
  [
    ["bench/at-rate.ts", "--rate", "1", "--beside", "/nowhere"],
    /^npm run bench:latency: --beside: there is no version in \/nowhere/,
  ],
  [["bench/soak.ts", "--minutes", "0"], /^npm run soak: --minutes is "0": give a number above 0/],
  [["bench/attacks.ts", "unheard of"], /^npm run bench:attacks: no attack is named like "unheard of"; there are /],
  [["bench/storage.ts", "--readings", "x"], /^node bench\/storage.ts: --readings is "x"/],
  [["scripts/audit.mjs"], /^npm is not installed/],
] as const;

test.each(wanting)("%j without what it needs ends at once with a sentence", async ([script, ...args], sentence) => {
  const folder = temporary();
  const it = runNode([join(ROOT, script), ...args], { PATH: "/nonexistent", TMPDIR: folder });
  expect(await it.ended).toBe(1);
  expect(it.stderr()).toMatch(sentence);
  expect(it.stderr().trim().split("\n")).toHaveLength(1);
  await nothingLeft(folder);
});

test("a part of the benchmark that takes too long is ended, with what it had started", async () => {
  const folder = temporary();
  const it = runNode([join(ROOT, "bench/main.ts"), "--only", "embedded", "--limit", "0.02"], { TMPDIR: folder });
  expect(await it.ended).toBe(1);
  expect(it.stderr()).toBe('npm run bench: "embedded" has taken longer than 0.02 min (--limit): it is ended\n');
  await nothingLeft(folder);
}, 120_000);

test("the broker's script says what is missing, whether or not the jars have been fetched", async () => {
  const folder = temporary();
  const bin = join(folder, "bin");
  const jars = join(folder, "jars");
  for (const path of [bin, jars]) await import("node:fs/promises").then(({ mkdir }) => mkdir(path));
  for (const tool of ["bash", "dirname", "mkdir", "setsid", "grep", "tail"])
    symlinkSync(`/usr/bin/${tool}`, join(bin, tool));
  writeFileSync(join(jars, ".complete"), "");
  const script = join(ROOT, "scripts/kafka-up.sh");
  const kept = run("/bin/bash", [script, join(folder, "data")], { PATH: bin, KAFKA_JARS: jars });
  expect(await kept.ended).toBe(1);
  expect(kept.stderr()).toMatch(
    /^kafka-up.sh: java is not installed \(Debian: apt-get install default-jre-headless\)\n$/,
  );
  const fresh = run("/bin/bash", [script, "--jars"], { PATH: bin, KAFKA_JARS: join(folder, "none") });
  expect(await fresh.ended).toBe(1);
  expect(fresh.stderr()).toMatch(
    /java is not installed.*\n.*mvn is not installed \(Debian: apt-get install maven\)\n$/,
  );
});

/** How it ends, what the example is told, the signal, the exit code. */
const endings = [
  ["fails", "fail", undefined, 1],
  ["fails where nobody waits", "emit", undefined, 1],
  ["is interrupted", "wait", "SIGINT", 130],
  ["is interrupted, and fails at that", "break", "SIGINT", 130],
  ["is told to end", "wait", "SIGTERM", 143],
  ["loses its terminal", "wait", "SIGHUP", 129],
  ["is killed", "wait platform", "SIGKILL", "SIGKILL"],
] as const;

test.each(endings)(
  "a script that %s leaves neither process nor data",
  async (_, argument, signal, code) => {
    const folder = temporary();
    const script = runNode([EXAMPLE, ...argument.split(" ")], { TMPDIR: folder });
    await started(script);
    if (signal !== undefined) {
      expect(processesOf(folder).length).toBeGreaterThan(2);
      script.process.kill(signal);
    }
    expect(await script.ended).toBe(code);
    // What fails because of it is not worth a stack.
    if (code === 130) expect(script.stderr().trim()).toBe("SIGINT: ending what was started …");
    await nothingLeft(folder);
  },
  WHOLE_MS,
);

test("a script whose npm is killed ends and leaves nothing", async () => {
  const folder = temporary();
  const npm = run("bash", ["-c", `"$NODE" "$EXAMPLE" wait & echo $! ; wait`], {
    NODE: process.execPath,
    EXAMPLE,
    TMPDIR: folder,
    npm_lifecycle_event: "bench",
  });
  await started(npm);
  npm.process.kill("SIGKILL");
  await nothingLeft(folder);
});

test(
  "a measurement that is interrupted while its platform starts leaves nothing",
  async () => {
    const folder = temporary();
    const soak = runNode([join(ROOT, "bench/soak.ts"), "--minutes", "10"], { TMPDIR: folder });
    onTestFinished(() => void soak.process.kill("SIGTERM"));
    // The script, its reaper, the platform, and what the platform has started.
    await expect.poll(() => processesOf(folder).length, { timeout: STARTED_MS, interval: 50 }).toBeGreaterThan(3);
    soak.process.kill("SIGINT");
    expect(await soak.ended).toBe(130);
    expect(soak.stderr()).not.toMatch(/ConnectError|^ +at /m);
    await nothingLeft(folder);
  },
  WHOLE_MS,
);

test("a server that does not start is named with what it said, and those before it are ended", async () => {
  const folder = temporary();
  const bin = mkdtempSync(join(tmpdir(), "tt-bin-"));
  onTestFinished(() => rmSync(bin, { recursive: true }));
  for (const name of ["redis-server", "mvn", "java"]) {
    writeFileSync(join(bin, name), "#!/bin/sh\necho out of luck; exit 3\n", { mode: 0o755 });
  }
  const bench = runNode([join(ROOT, "bench/main.ts"), "--only", "kafka"], {
    PATH: `${bin}:${process.env.PATH}`,
    KAFKA_JARS: join(folder, "jars"),
    TMPDIR: folder,
  });
  expect(await bench.ended).toBe(1);
  expect(bench.stdout() + bench.stderr()).toContain("out of luck");
  await expect.poll(() => processesOf(folder), { timeout: GONE_MS }).toEqual([]);
});
