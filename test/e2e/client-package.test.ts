import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { run } from "../../testing/cli.ts";
import { startPlatform } from "../../testing/platform.ts";
import { allReadings } from "../../testing/readings.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

test("a project that depends on the package imports telltale/client and delivers readings", async () => {
  const project = mkdtempSync(join(tmpdir(), "telltale-package-"));
  onTestFinished(() => rmSync(project, { recursive: true, force: true }));
  const installed = join(project, "node_modules", "telltale");
  mkdirSync(installed, { recursive: true });
  // The project's .npmrc runs no scripts: without the option the package would lack the client.
  execFileSync("npm", ["pack", "--silent", "--ignore-scripts=false", "--pack-destination", project], { cwd: root });
  const [archive = ""] = readdirSync(project).filter((name) => name.endsWith(".tgz"));
  execFileSync("tar", ["-xzf", join(project, archive), "-C", installed, "--strip-components=1"]);
  // Its dependencies, as npm would put them beside it.
  for (const name of ["@bufbuild", "@connectrpc"]) {
    symlinkSync(join(root, "node_modules", name), join(project, "node_modules", name));
  }
  const platform = await startPlatform();
  onTestFinished(() => platform.stop());
  writeFileSync(
    join(project, "device.mjs"),
    `import { createDeviceClient } from "telltale/client";
     const client = createDeviceClient({ url: process.argv[2], producer: "press-7" });
     await client.send({ sensorId: "press-7.oil", sensorType: "temperature", unit: "C", value: 61.5 });
     console.log((await client.flush()).accepted);
     await client.close();`,
  );
  const device = run(process.execPath, ["device.mjs", platform.grpc], {}, project);
  expect(await device.ended, device.stderr()).toBe(0);
  expect(device.stdout()).toBe("1n\n");
  expect(await allReadings(platform.grpc, "press-7.oil")).toHaveLength(1);
}, 240_000); // npm packs with a build of the client and of the console
