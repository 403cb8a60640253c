/** README's commands, as they are written, against the real platform; only its addresses are those of the test. */
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../../testing/cli.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";

const ROOT = join(import.meta.dirname, "../..");
/** A simulated plant of 50,000 readings and a backtest of it, on a busy machine. */
const ALL_MS = 300_000;

let platform: Platform;
let folder = "";
beforeAll(async () => {
  platform = await startPlatform();
  folder = await mkdtemp(join(tmpdir(), "telltale-readme-"));
});
afterAll(async () => {
  await platform?.stop();
  if (folder !== "") await rm(folder, { recursive: true, force: true });
});

/** The commands of a text: lines that begin with "$ ", with those that a backslash continues. */
function commandsIn(text: string): string[] {
  return [...text.matchAll(/^\$ ((?:.*\\\n)*.*)$/gm)].map(([, command]) => command!);
}

function sectionOf(text: string, title: string): string {
  return text.split(/^## /m).find((each) => each.startsWith(title)) ?? "";
}

/** The lines that a guide shows below a command, but for those that stand for others. */
function shownBelow(text: string, command: string): string[] {
  const after = text.slice(text.indexOf(command) + command.length + 1);
  const shown = after.slice(0, after.search(/^(\$ |```)/m)).split("\n");
  return shown.filter((line) => !/^\s*…?$/.test(line));
}

/** The command with the addresses of this platform, run by npm from the repository and in the test's folder. */
function here(command: string): string {
  return command
    .replaceAll("http://127.0.0.1:8000", platform.http)
    .replaceAll("http://127.0.0.1:50051", platform.grpc)
    .replace(/^npm /, `npm --prefix ${ROOT} `);
}

const start = (command: string) => run("sh", ["-c", `exec ${here(command)}`], { TELLTALE_URL: platform.grpc }, folder);

test("README's first five minutes run as they are written", { timeout: ALL_MS }, async () => {
  const commands = commandsIn(sectionOf(readFileSync(join(ROOT, "README.md"), "utf8"), "The first five minutes"));
  expect(commands.length).toBeGreaterThan(4);
  const watch = commands.find((command) => command.includes("watch alerts"))!;
  const watching = start(watch);
  const answers = new Map<string, string>();
  try {
    for (const command of commands) {
      if (command === watch) continue;
      const done = start(command);
      expect(await done.ended, `${command}\n${done.stderr()}`).toBe(0);
      answers.set(command, done.stdout());
    }
    await expect.poll(watching.stdout).toMatch(/(medium|high|critical) +(opened|raised)/);
  } finally {
    watching.process.kill("SIGTERM");
    await watching.ended;
  }
  const answer = (part: string) => [...answers].find(([command]) => command.includes(part))?.[1];
  expect(answer("SubmitReadings")).toContain('"accepted":"1"');
  expect(answer("boiler-1/latest")).toContain('"value":61.5');
  expect(answer("simulate")).toMatch(/ sent = \d+ accepted \+ 0 duplicate \+ 0 conflicting \+ 0 rejected/);
  expect(answer("explain")).toMatch(/lagged/);
  expect(existsSync(join(folder, "plant.html"))).toBe(true);

  // The guides show what the same commands print.
  const [gettingStarted, settings] = ["getting-started.md", "concepts/detector-settings.md"].map((name) =>
    readFileSync(join(ROOT, "docs", name), "utf8"),
  );
  const alike = commandsIn(gettingStarted!).filter((command) => /explain|backtest|sensorStats/.test(command));
  expect(alike).toHaveLength(4);
  for (const command of alike) {
    const done = start(command);
    expect(await done.ended, `${command}\n${done.stderr()}`).toBe(0);
    const lines = shownBelow(gettingStarted!, command);
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) expect(done.stdout()).toContain(line);
  }
  const backtest = answer("backtest")!;
  const shown = [...alertsIn(gettingStarted!), ...alertsIn(settings!)];
  expect(shown).toHaveLength(3);
  for (const { severity, text } of shown) expect(backtest).toMatch(new RegExp(` ${severity} .*${RegExp.escape(text)}`));
});

/** Alerts that are over, in answers and in lists, but for those that other settings would add. */
function alertsIn(guide: string) {
  const text = "(Anomaly detected with score [\\d.]+, recovered [^:]+:[^:]+)";
  const forms = [`"severity":"(\\w+)","message":"${text}`, `^- \\S+Z +(\\w+) .*?${text}`];
  const found = forms.flatMap((form) => [...guide.matchAll(new RegExp(form, "gm"))]);
  return found.map(([, severity, told]) => ({ severity: severity!, text: told! }));
}
