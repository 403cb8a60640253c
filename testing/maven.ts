/** Jars from Maven Central, in a folder of their own that later runs find again. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const CACHE = join(import.meta.dirname, "../.cache");

/**
 * Paths of all jars that a program with these dependencies needs.
 *
 * @param pom path of a pom.xml
 * @param name of the folder
 */
export async function jarsOf(pom: string, name: string): Promise<string[]> {
  const hash = createHash("sha256")
    .update(await readFile(pom))
    .digest("hex")
    .slice(0, 12);
  const kept = join(CACHE, `${name}-jars-${hash}`);
  const list = () => readdir(kept).catch((): string[] => []); // not there yet
  if ((await list()).length === 0) {
    await mkdir(CACHE, { recursive: true });
    const made = await mkdtemp(`${kept}-`);
    const goal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
    await run("mvn", ["-q", "-B", "-f", pom, goal, "-DincludeScope=runtime", `-DoutputDirectory=${made}`]);
    // Another run may have been faster; its files are the same.
    await rename(made, kept).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
      await rm(made, { recursive: true });
    });
  }
  return (await list()).map((file) => join(kept, file));
}
