/** `telltale collect … --check` against a platform that asks who calls. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { cleanupAfterEach } from "../../testing/cleanup.ts";
import { runCli } from "../../testing/cli.ts";
import { writeConfig } from "../../testing/collect/collector.ts";
import { startPython } from "../../testing/collect/python-server.ts";
import { describeWith } from "../../testing/needs.ts";
import { freePort } from "../../testing/processes.ts";
import { PYMODBUS } from "../../testing/python.ts";
import { startSecured } from "../../testing/secured.ts";

describeWith(["python3"], "telltale collect --check", () => {
  vi.setConfig({ testTimeout: 240_000 });
  const { add, started } = cleanupAfterEach();

  test("says whether the platform takes what would be sent, and all that is wrong at once", async () => {
    const folder = mkdtempSync(join(tmpdir(), "telltale-collect-"));
    add(async () => rmSync(folder, { recursive: true, force: true }));
    const [device, platform] = await Promise.all([
      started(startPython("modbus_device.py", PYMODBUS)),
      started(startSecured()),
    ]);
    const check = async (token: string | undefined, given: object = {}, devicePort = device.port) => {
      const tokenFile = join(folder, "token");
      if (token === undefined) rmSync(tokenFile, { force: true });
      else writeFileSync(tokenFile, `${token}\n`);
      const run = runCli(
        ...["collect", "modbus", "--check"],
        writeConfig(folder, {
          platform: { url: platform.grpc, token_file: tokenFile, ...given },
          devices: [
            {
              ...{ host: "127.0.0.1", port: devicePort, timeout: "500ms" },
              registers: [
                { sensor_id: "line-3/oil", address: 100 },
                { sensor_id: "line-4/oil", address: 104 },
              ],
            },
          ],
        }),
      );
      return { code: await run.ended, out: run.stdout(), err: run.stderr() };
    };
    const { secret: sender } = await platform.mint([Scope.INGEST], "line-");
    const good = await check(sender);
    expect([good.code, good.err]).toEqual([0, ""]);
    expect(good.out).toMatch(/^line-3\/oil {2}.*\nline-4\/oil {2}.*\nplatform {2}http:\/\/[\d.:]+ {2}token:test 1\n$/);

    const { secret: reader } = await platform.mint([Scope.READ], "line-3/");
    const wrong = await check(reader, {}, await freePort());
    expect(wrong.code).toBe(1);
    expect(wrong.err.trim().split("\n")).toEqual([
      "2 of 2 give no reading.",
      "token:test 2 may not send readings: it has read, and needs ingest.",
      'token:test 2 may only send sensors that begin with "line-3/", and not "line-4/oil".',
    ]);
    expect((await check("wrong")).err).toMatch(/^The platform at http:\/\/[\d.:]+ refuses the token \(.*\/token\): /);
    expect((await check(undefined)).err).toMatch(/^platform\.token_file cannot be read: ENOENT/);
    const nobody = `http://127.0.0.1:${await freePort()}`;
    expect((await check(sender, { url: nobody })).err).toContain(`The platform cannot be reached at ${nobody}: `);
  });
});
