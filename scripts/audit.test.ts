/** The real npm asks a registry of this test; and what is locked is locked to the letter. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "telltale-audit-"));
afterAll(() => rmSync(folder, { recursive: true }));

const advisory = {
  id: 1,
  url: "https://github.com/advisories/GHSA-aaaa-bbbb-cccc",
  title: "Takes one batch for another",
  severity: "high",
  vulnerable_versions: "<=2.2.4",
  cwe: ["CWE-345"],
  cvss: { score: 7.5, vectorString: "" },
};
const allowance = { id: "GHSA-aaaa-bbbb-cccc", package: "kafkajs", reason: "the feature is off", until: "2999-01-01" };

/** Exit code and words of the audit where the registry answers so and so much is allowed. */
async function audit(status: number, advisories: object, allowed: object[], ...args: string[]) {
  const registry = http.createServer((request, response) => {
    const asks = request.url?.endsWith("/advisories/bulk");
    const packument = {
      name: "kafkajs",
      "dist-tags": { latest: "2.2.4" },
      versions: { "2.2.4": { name: "kafkajs", version: "2.2.4" } },
    };
    response.writeHead(asks ? status : 200, { "content-type": "application/json" });
    request.resume().once("end", () => response.end(JSON.stringify(asks ? advisories : packument)));
  });
  registry.listen(0, "127.0.0.1");
  await once(registry, "listening");
  const list = join(folder, "allowed.json");
  writeFileSync(list, JSON.stringify(allowed));
  const env = {
    ...process.env,
    npm_config_registry: `http://127.0.0.1:${(registry.address() as AddressInfo).port}/`,
    npm_config_cache: join(folder, "cache"),
    TELLTALE_AUDIT_ALLOWED: list,
  };
  const script = join(import.meta.dirname, "audit.mjs");
  try {
    return await new Promise<{ code: number; said: string }>((resolve) => {
      execFile(process.execPath, [script, ...args], { env }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), said: stdout + stderr }),
      );
    });
  } finally {
    registry.close();
  }
}

it("an audit fails on a vulnerability that nobody has allowed", async () => {
  const { code, said } = await audit(200, { kafkajs: [advisory] }, []);
  expect(said).toContain("FAILED  high GHSA-aaaa-bbbb-cccc kafkajs");
  expect(code).toBe(1);
});

it("an audit passes on one that is allowed with a reason, for as long as it is", async () => {
  const passed = await audit(200, { kafkajs: [advisory] }, [allowance]);
  expect(passed).toMatchObject({ code: 0, said: expect.stringContaining("the feature is off") });
  expect((await audit(200, { kafkajs: [advisory] }, [{ ...allowance, until: "2001-01-01" }])).code).toBe(1);
});

it("an audit fails on an allowance that allows nothing, so that the list stays short", async () => {
  const { code, said } = await audit(200, {}, [allowance]);
  expect(said).toContain("take it off the list");
  expect(code).toBe(1);
});

it("a registry that does not answer such questions is said to be one, and fails where an audit is required", async () => {
  const { code, said } = await audit(405, {}, []);
  expect(said).toMatch(/^NOTICE dependencies were not audited: the registry answered "405 Method Not Allowed/m);
  expect(code).toBe(0);
  expect((await audit(405, {}, [], "--require")).code).toBe(1);
});

it("each allowance names an advisory, a package, a reason in a sentence and a day within a year", () => {
  const year = new Date(Date.now() + 366 * 86_400_000).toISOString().slice(0, 10);
  for (const entry of JSON.parse(file("scripts/audit-allowed.json")) as (typeof allowance)[]) {
    expect(Object.keys(entry).sort()).toEqual(["id", "package", "reason", "until"]);
    expect(entry.id).toMatch(/^GHSA(-[0-9a-z]{4}){3}$/);
    expect(entry.reason.length).toBeGreaterThan(20);
    expect(entry.until < year).toBe(true);
  }
});

it("every dependency is pinned to one version, and its contents by a hash", () => {
  const { dependencies, devDependencies, optionalDependencies } = JSON.parse(file("package.json"));
  const direct = Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies });
  expect(direct.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version as string))).toEqual([]);
  const locked: [string, { integrity?: string; inBundle?: boolean; link?: boolean }][] = Object.entries(
    JSON.parse(file("package-lock.json")).packages,
  );
  const loose = locked.filter(
    ([name, { integrity, inBundle }]) => name !== "" && !inBundle && !integrity?.startsWith("sha512-"),
  );
  expect(loose.map(([name]) => name)).toEqual([]);
});

it("every Python package of tests, examples and jobs is pinned to one version", () => {
  const lines = file("examples/python/requirements.txt")
    .split("\n")
    .filter((line) => /^\w/.test(line));
  expect(lines.length).toBeGreaterThan(0);
  expect(lines.filter((line) => !/^[\w.[\],-]+==[\w.]+/.test(line))).toEqual([]);
});

function file(path: string): string {
  return readFileSync(join(import.meta.dirname, "..", path), "utf8");
}
