/** Prometheus' own tests of receivers of remote_write 2.0 and 1.0, unchanged. test/deploy/support/install-tools.sh builds them. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { cleanupAfterEach } from "../../testing/cleanup.ts";
import { describeWith, program } from "../../testing/needs.ts";
import { startProtocolApp } from "../../testing/protocol-app.ts";

/** What they are run by, and is not in the names of the tests. */
const RECEIVER = "telltale";

describeWith(["remote-write-compliance"], "Prometheus' tests of receivers of remote_write", () => {
  const { add } = cleanupAfterEach();

  test("pass, but for those that want exemplars stored, which are counted and left out", async () => {
    const app = await startProtocolApp();
    add(() => app.stop());
    const folder = mkdtempSync(join(tmpdir(), "telltale-compliance-"));
    add(async () => rmSync(folder, { recursive: true, force: true }));
    const config = join(folder, "config.yml");
    const credentials = app.bearer.authorization.replace("Bearer ", "");
    const receiver = { name: RECEIVER, url: `${app.http}/api/v1/write`, authorization: { credentials } };
    writeFileSync(config, stringify({ remote_write: [receiver] }));
    const output = await run(folder, { PROMETHEUS_RW2_COMPLIANCE_CONFIG_FILE: config });
    const failed = results(output, "FAIL");
    expect(results(output, "PASS").length).toBeGreaterThanOrEqual(148);
    // Of each that fails what was found first.
    const reasons = Array.from(output.matchAll(/^\s+Messages:\s+(.*)$/gm), ([, reason]) => reason);
    expect(reasons).toEqual(failed.map(() => "0 exemplars written"));
    // Nor does anything else go wrong.
    expect(results(output, "SKIP")).toEqual([]);
  });
});

/** All that they print; that some fail is what is read in it. */
function run(cwd: string, environment: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve) => {
    const options = { cwd, env: { ...process.env, ...environment }, maxBuffer: 64 * 1024 * 1024 };
    execFile(program("remote-write-compliance")!, ["-test.v"], options, (_, stdout, stderr) =>
      resolve(stdout + stderr),
    );
  });
}

function results(output: string, verdict: "PASS" | "FAIL" | "SKIP"): string[] {
  const lines = output.matchAll(new RegExp(`^ *--- ${verdict}: (\\S+)/${RECEIVER} `, "gm"));
  return Array.from(lines, ([, name]) => name!);
}
