/** Programs of the machine that tests and measurements run. */
import { delimiter, join } from "node:path";
import { isExecutable } from "./processes.ts";

/** Folders beside PATH in which Debian keeps programs that are run here. */
const MORE_FOLDERS = [
  "/usr/sbin",
  "/usr/local/go/bin",
  "/usr/lib/postgresql/15/bin",
  // Where test/deploy/support/install-tools.sh puts what Debian does not have.
  join(import.meta.dirname, "../.cache/tools/bin"),
];

/** Debian packages of programs that are named otherwise. */
const PACKAGES: Readonly<Record<string, string>> = {
  amtool: "prometheus-alertmanager",
  java: "default-jre-headless",
  javac: "default-jdk-headless",
  mvn: "maven",
  mosquitto_passwd: "mosquitto",
  ps: "procps",
  flock: "util-linux",
};

/** Path of a program, or undefined where it is not installed. */
export function program(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...MORE_FOLDERS];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** A sentence that names those of the programs that are missing and how to get them, or undefined where none is. */
export function missing(programs: readonly string[]): string | undefined {
  const absent = [...new Set(programs)].filter((name) => program(name) === undefined);
  if (absent.length === 0) return undefined;
  const packages = absent.map((name) => PACKAGES[name] ?? name).join(" ");
  return `${absent.join(", ")} ${absent.length === 1 ? "is" : "are"} not installed (Debian: apt-get install ${packages})`;
}
