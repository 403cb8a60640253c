/** Python with packages from PyPI, in a folder of its own that later runs find again. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, mkdir } from "node:fs/promises";
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
  await mkdir(CACHE, { recursive: true });
  // Test files run side by side, and several may want the same packages: the others wait, and find it made.
  const script = `
    [ -e "$1/complete" ] && exit
    python3 -m venv --clear "$1"
    folder=$1; shift
    "$folder/bin/python3" -m pip install --quiet --disable-pip-version-check "$@" && touch "$folder/complete"`;
  await run("flock", [`${folder}.lock`, "sh", "-ec", script, "sh", folder, ...packages], {
    maxBuffer: 64 * 1024 * 1024,
  });
  return bin;
}
