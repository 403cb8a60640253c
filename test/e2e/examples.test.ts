/** Each example does what its first lines say, on the real platform. */
import { type ExecFileOptions, execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeWith, program } from "../../testing/needs.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { pythonWith, requirements } from "../../testing/python.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const ALERT = /^alert: Anomaly detected with score \d\.\d{4}./m;
/** Tool chains download and compile the first time. */
const FIRST_TIME_MS = 600_000;

let platform: Platform;
/** Serves the page, whose origin the platform has to know before. */
const pages = createServer();
let origin: string;
beforeAll(async () => {
  await new Promise<void>((resolve) => pages.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
  platform = await startPlatform({ ALLOWED_HOSTS: JSON.stringify([origin]) });
});
afterAll(async () => {
  pages.close();
  await platform?.stop();
});

const execute = promisify(execFile);

async function run(file: string, args: readonly string[], options: ExecFileOptions = {}): Promise<string> {
  const env = { ...process.env, TELLTALE_GRPC: platform.grpc, TELLTALE_HTTP: platform.http, ...options.env };
  const { stdout } = await execute(file, [...args], { cwd: ROOT, timeout: FIRST_TIME_MS, ...options, env });
  return String(stdout);
}

describe("Node", () => {
  test("with Connect streams readings and watches alerts", async () => {
    const said = await run(process.execPath, ["examples/node/connect.ts"]);
    expect(said).toContain("49 readings settled, 49 accepted");
    expect(said).toMatch(ALERT);
  });

  test("with grpc-js and nothing generated does the same", async () => {
    const said = await run(process.execPath, ["examples/node/grpc-js.js"]);
    expect(said).toContain("49 readings settled");
    expect(said).toMatch(ALERT);
  });

  test("with a GraphQL client mutates, subscribes and resolves", async () => {
    const said = await run(process.execPath, ["examples/graphql/urql.ts"]);
    expect(said).toMatch(ALERT);
    expect(said).toContain("resolved: true");
  });
});

describeWith(["python3", "go"], "stubs made by buf", () => {
  let bin: string;
  beforeAll(async () => {
    bin = await pythonWith(await requirements(join(ROOT, "examples/python/requirements.txt")));
    const path = [bin, join(ROOT, "node_modules/.bin"), process.env.PATH].join(delimiter);
    await run("buf", ["generate", "--template", "buf.gen.clients.yaml"], { env: { PATH: path } });
  }, FIRST_TIME_MS);

  test("let Python stream readings and watch alerts", async () => {
    const said = await run(join(bin, "python3"), ["examples/python/watch.py"], {
      env: { PYTHONPATH: join(ROOT, "examples/python/gen") },
    });
    expect(said).toContain("49 readings settled");
    expect(said).toMatch(ALERT);
  });

  test(
    "let Go stream readings and watch alerts",
    async () => {
      const said = await run("go", ["run", "."], { cwd: join(ROOT, "examples/go") });
      expect(said).toContain("49 readings settled");
      expect(said).toMatch(ALERT);
    },
    FIRST_TIME_MS,
  );
});

describeWith(["chromium"], "a browser page", () => {
  test("sends readings, and shows readings and alerts as they come", async () => {
    const folder = await mkdtemp("/tmp/telltale-page-");
    await build({
      entryPoints: [join(ROOT, "examples/browser/main.ts")],
      bundle: true,
      format: "esm",
      outfile: `${folder}/main.js`,
      logLevel: "error",
    });
    const html = await readFile(join(ROOT, "examples/browser/index.html"));
    const script = await readFile(`${folder}/main.js`);
    pages.on("request", (request, response) => {
      const isScript = request.url === "/main.js";
      response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
      response.end(isScript ? script : html);
    });
    const browser = await chromium.launch({ executablePath: program("chromium")!, args: ["--no-sandbox"] });
    try {
      const page = await browser.newPage();
      await page.goto(`${origin}/?server=${encodeURIComponent(platform.grpc)}`);
      await page.waitForSelector("body.watching");
      await page.click("#send");
      await page.waitForFunction("document.querySelectorAll('#readings li').length === 49");
      await page.waitForSelector("#alerts li");
      expect(await page.textContent("#alerts li:last-child")).toMatch(/^Anomaly detected with score/);
    } finally {
      await browser.close();
      await rm(folder, { recursive: true });
    }
  });
});
