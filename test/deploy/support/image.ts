/** Does what `docker build` would do with our Dockerfile, in a folder: COPY and RUN of each stage, ENV, ENTRYPOINT, HEALTHCHECK. */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { delimiter, dirname, join, matchesGlob, relative } from "node:path";
import { Copy, DockerfileParser, type Instruction } from "dockerfile-ast";

export const root = join(import.meta.dirname, "../../..");
export const dockerfile = readFileSync(join(root, "deploy/docker/Dockerfile"), "utf8");
export const instructions: readonly Instruction[] = DockerfileParser.parse(dockerfile).getInstructions();

export interface Image {
  /** Stands for /app of the last stage. */
  readonly app: string;
  /** Stands for /data. */
  readonly data: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  readonly healthcheck: readonly string[];
}

/** What a build sees: files that git has or would take, without those that .dockerignore keeps out; the last pattern decides. */
export function context(): string[] {
  const list = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  const rules = readFileSync(join(root, ".dockerignore"), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => ({ keep: line.startsWith("!"), glob: line.replace(/^!/, "") }));
  const kept = (path: string) =>
    rules.reduce((keep, rule) => {
      const hit = matchesGlob(path, rule.glob) || matchesGlob(path, `${rule.glob}/**`);
      return hit ? rule.keep : keep;
    }, true);
  return list.split("\n").filter((path) => path !== "" && existsSync(join(root, path)) && kept(path));
}

/** Files and folders that a Dockerfile copies from what the build sees. */
export function copiedBy(text: string): string[] {
  const copies = DockerfileParser.parse(text).getCOPYs();
  return copies
    .filter((each) => flagOf(each, "from") === undefined)
    .flatMap((each) => each.getArguments().slice(0, -1).map(String));
}

export function build(folder: string): Image {
  const files = context();
  const data = join(folder, "data");
  const stages = new Map<string, string>();
  const environment: Record<string, string> = {};
  let app = "";
  let entrypoint: string[] = [];
  let healthcheck: string[] = [];
  for (const instruction of instructions) {
    const text = instruction.getArgumentsContent()?.replaceAll("\\\n", " ") ?? "";
    switch (instruction.getKeyword()) {
      case "FROM":
        app = mkdtempSync(join(folder, "stage-"));
        stages.set(/ AS (\S+)/.exec(text)?.[1] ?? "the image", app);
        break;
      case "COPY":
        copy(text, stages.get(flagOf(instruction, "from") ?? ""), app, files);
        break;
      case "RUN":
        if (text.includes("npm install")) linkModules(app);
        execFileSync("sh", ["-ec", text.replaceAll("/data", data)], {
          cwd: app,
          env: { ...process.env, npm_config_prefer_offline: "true", npm_config_loglevel: "error" },
          stdio: ["ignore", "pipe", "inherit"],
        });
        break;
      case "ENV":
        for (const [, name, value] of text.matchAll(/(\w+)=(\S+)/g)) environment[name!] = value!;
        break;
      case "ENTRYPOINT":
        entrypoint = JSON.parse(text);
        break;
      case "HEALTHCHECK":
        healthcheck = JSON.parse(text.slice(text.indexOf("CMD") + 3));
    }
  }
  return { app, data, environment, entrypoint, healthcheck };
}

/**
 * The packages that are installed here, as hard links: the image's own `npm install` then has only to take away what it does not
 * want, in seconds and without the network.
 */
function linkModules(app: string): void {
  execFileSync("cp", ["-al", join(root, "node_modules"), app]);
  // npm writes this one in place, through the link.
  rmSync(join(app, "node_modules/.package-lock.json"), { force: true });
}

function flagOf(instruction: Instruction, name: string): string | undefined {
  const flags = instruction instanceof Copy ? instruction.getFlags() : [];
  return flags.find((flag) => flag.getName() === name)?.getValue() ?? undefined;
}

/** `COPY [--from=stage] source… target` with a relative target, which is all that we use. */
function copy(text: string, from: string | undefined, app: string, files: readonly string[]): void {
  const words = text.split(/\s+/);
  const target = join(app, words.pop()!);
  for (const source of words) {
    if (from !== undefined) {
      renameSync(join(from, source.replace(/^\/app\//, "")), target); // that stage is not looked at again
      continue;
    }
    const found = files.filter((file) => file === source || file.startsWith(`${source}/`));
    if (found.length === 0) throw new Error(`COPY ${source}: no such file in what the build sees`);
    const folder = statSync(join(root, source)).isDirectory() ? source : dirname(source);
    for (const file of found) {
      const to = join(target, relative(folder, file));
      mkdirSync(dirname(to), { recursive: true });
      cpSync(join(root, file), to);
    }
  }
}

/** PATH with the Node of this run in front, as the base image has its own. */
export const path = [dirname(process.execPath), process.env.PATH].join(delimiter);
