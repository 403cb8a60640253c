/** Python with packages from PyPI, in a folder of its own that later runs find again. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, rename } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const CACHE = fileURLToPath(new URL("../../.cache/", import.meta.url));

/**
 * Path of the folder with the interpreter and the packages' programs.
 *
 * @param packages as pip takes them, pinned
 */
export async function pythonWith(packages: readonly string[]): Promise<string> {
  const name = createHash("sha256").update(packages.join(" ")).digest("hex").slice(0, 12);
  const folder = join(CACHE, `python-${name}`);
  const bin = join(folder, "bin");
  const complete = join(folder, "complete");
  const known = await access(complete).then(
    () => true,
    () => false, // not made yet, or not to its end: it is made again
  );
  if (known) return bin;
  await run("python3", ["-m", "venv", "--clear", folder]);
  await run(join(bin, "python3"), ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...packages], {
    maxBuffer: 64 * 1024 * 1024,
  });
  await rename(join(folder, "pyvenv.cfg"), complete);
  await run("cp", [complete, join(folder, "pyvenv.cfg")]);
  return bin;
}
