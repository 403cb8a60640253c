/** `npm run generate:spark`: the contract's log record for Python, from the contracts as they are. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { missing } from "../../testing/programs.ts";
import { pythonFrom } from "./tools.ts";

const root = join(import.meta.dirname, "../..");

/** Writes deploy/spark/gen below the folder. */
export async function makeStubs(out: string): Promise<void> {
  const bin = await pythonFrom("requirements-dev.txt");
  const buf = join(root, "node_modules/.bin/buf");
  await promisify(execFile)(buf, ["generate", "--template", "deploy/spark/buf.gen.yaml", "-o", out], {
    cwd: root,
    env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
  });
}

if (import.meta.main) {
  const lacks = missing(["python3", "flock"]);
  if (lacks !== undefined) {
    console.error(`The stubs for Python cannot be made: ${lacks}.`);
    process.exit(1);
  }
  await makeStubs(root);
}
