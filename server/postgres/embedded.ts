import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { StartupError } from "../errors.ts";
import { databaseUser, type Identity, namedUser, packagedPostgres, reachableBinaries } from "./binaries.ts";
import { openClient } from "./connection.ts";
import { claimDataDir, type DataDir, unwritable } from "./data-dir.ts";
import { endLeftovers, removeForeignLocks } from "./processes.ts";
import { settings } from "./settings.ts";

/** Recovery after a crash replays at most `max_wal_size`; a slow laptop disk manages that in this time. */
const START_MS = 120_000;
/** After this, a fast shutdown becomes an immediate one, which the next start makes good from the write-ahead log. */
const STOP_MS = 30_000;
/** A database that dies this often in a row will not be helped by another start. */
const RESTARTS = 5;
/** Between looks for room on a disk that is full. */
const NO_SPACE_PAUSE_MS = 1_000;
/** A run of this length ends a row of deaths. */
const HEALTHY_MS = 60_000;
const RESTART_PAUSE_MS = 200;

export interface EmbeddedPostgresOptions {
  /** Absolute path; made if need be. The database is in its folder `postgres`. */
  readonly dataDir: string;
  readonly logger: Pick<Logger, "debug" | "info" | "warn" | "error">;
  /** Called when the database died and cannot be brought back. */
  readonly onLost?: (error: Error) => void;
  /** Folder with PostgreSQL's `bin`, `lib` and `share`; by default the npm package's. */
  readonly binaries?: string;
}

export interface EmbeddedPostgres {
  /** For postgres.js; also after a restart. Valid in this process only. */
  readonly address: { readonly path: string; readonly database: string; readonly username: string };
  /** Of the postmaster that runs now. */
  readonly pid: number;
  /** Ends the database cleanly and gives the folder free. */
  stop(): Promise<void>;
}

/**
 * Starts PostgreSQL as a child of this process, on a Unix socket inside its own folder, which only its user may enter; that is
 * why no password is needed. Brings it back when it dies. When this process dies, however it does, the database ends by itself.
 *
 * Throws StartupError where the folder is in use, not writable, of another major version, or PostgreSQL cannot run here.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  if (process.platform === "win32") {
    throw new StartupError(
      "The embedded PostgreSQL does not run on Windows: use WSL, or set DATABASE_URL to a server.",
    );
  }
  const claim = await claimDataDir(options.dataDir);
  try {
    const database = new Database(options, join(options.dataDir, "postgres"), claim);
    await database.prepare();
    await database.start();
    const address = {
      path: join(claim.short, "postgres", ".s.PGSQL.5432"),
      database: "telltale",
      username: "telltale",
    };
    await createDatabase(address).catch(async (error: unknown) => {
      await database.stop();
      throw error;
    });
    return {
      address,
      get pid() {
        return database.pid;
      },
      async stop() {
        await database.stop();
        claim.release();
      },
    };
  } catch (error) {
    claim.release();
    // What the system says of a file in it: a full disk, one that has become read-only.
    throw (error as NodeJS.ErrnoException).syscall === undefined || error instanceof StartupError
      ? error
      : unwritable(options.dataDir, error);
  }
}

async function createDatabase(address: EmbeddedPostgres["address"]): Promise<void> {
  const { sql } = openClient({ ...address, database: "postgres" }, { max: 1 });
  try {
    const found = await sql`SELECT FROM pg_database WHERE datname = ${address.database}`;
    if (found.length === 0) await sql`CREATE DATABASE ${sql(address.database)}`;
  } finally {
    await sql.end();
  }
}

class Database {
  readonly #options: EmbeddedPostgresOptions;
  readonly #folder: string;
  readonly #claim: DataDir;
  #binaries = "";
  #user: Identity | undefined;
  #child: ChildProcess | undefined;
  #stopping: Promise<void> | undefined;
  #deaths = 0;
  /** Output of the database that runs now, or ran last. */
  #lines: string[] = [];

  constructor(options: EmbeddedPostgresOptions, folder: string, claim: DataDir) {
    this.#options = options;
    this.#claim = claim;
    this.#folder = folder;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Finds the programs and makes the folder, unless it is there already. */
  async prepare(): Promise<void> {
    const isRoot = process.getuid?.() === 0;
    const there = lstatSync(this.#folder, { throwIfNoEntry: false });
    // A folder that was made by a plain user stays that user's when root starts it.
    if (isRoot) this.#user = there && there.uid > 0 ? { uid: there.uid, gid: there.gid } : databaseUser;
    const initUser = isRoot && !there ? namedUser() : undefined;
    const users = [this.#user, initUser].filter((user) => user !== undefined);
    const packaged = this.#options.binaries ?? packagedPostgres();
    const { folder, major } = reachableBinaries(packaged, users);
    this.#binaries = folder;
    if (there) this.#checkVersion(major);
    else await this.#create(initUser);
  }

  #checkVersion(major: number): void {
    const file = join(this.#folder, "PG_VERSION");
    let version: string;
    try {
      version = readFileSync(file, "utf8").trim();
    } catch (error) {
      throw new StartupError(
        `${file} cannot be read (${(error as Error).message}): DATA_DIR must be a folder that Telltale made and this user may read.`,
        { cause: error },
      );
    }
    if (version === String(major)) return;
    throw new StartupError(
      `DATA_DIR "${this.#options.dataDir}" holds a database of PostgreSQL ${version}, and this version of Telltale brings PostgreSQL ${major}: dump it with the version that made it, or name another DATA_DIR.`,
    );
  }

  /** Makes the database beside its final place, so that a half-made one is never taken for one. */
  async #create(initUser: Identity | undefined): Promise<void> {
    // A name of its own: the maker of a killed start may still be writing to its folder.
    const unfinished = `${basename(this.#folder)}.new`;
    const made = `${this.#folder}.new-${randomUUID()}`;
    mkdirSync(made, { mode: 0o700 });
    if (initUser) chownSync(made, initUser.uid, initUser.gid);
    const args = ["-D", inside(made, initUser), "-U", "telltale", "--auth-local=trust", "--auth-host=reject"];
    args.push("--locale=C", "--encoding=UTF8", "--no-instructions");
    const child = spawn(join(this.#binaries, "bin", "initdb"), args, {
      ...initUser,
      cwd: made,
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text) => (output += text));
    const code = await new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
    if (code !== 0) {
      rmSync(made, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
      const reason = output.split("\n").find((line) => /error|fatal|could not/i.test(line)) ?? lastLines(output);
      throw new StartupError(
        `DATA_DIR is "${this.#options.dataDir}", in which the database could not be made (${reason.trim()}): make room there or name another folder.`,
      );
    }
    if (initUser) handOver(made, databaseUser);
    renameSync(made, this.#folder);
    const parent = dirname(this.#folder);
    for (const name of readdirSync(parent).filter((each) => each.startsWith(unfinished))) {
      rmSync(join(parent, name), { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    }
  }

  async start(): Promise<void> {
    await endLeftovers(this.#folder, (pids) => {
      this.#options.logger.warn({ pids }, "stopping the database that a killed process left running");
    });
    removeForeignLocks(this.#folder);
    const child = this.#spawn();
    this.#child = child;
    await this.#ready(child);
    const since = Date.now();
    child.once("exit", (code, signal) => {
      if (this.#stopping) return;
      if (Date.now() - since > HEALTHY_MS) this.#deaths = 0;
      const why = relevantLines(this.#lines);
      this.#options.logger.error({ code, signal, why }, "the embedded database died; starting it again");
      void this.#restart();
    });
  }

  #spawn(): ChildProcess {
    const args = ["-D", inside(this.#folder, this.#user)];
    for (const [name, value] of Object.entries(settings)) args.push("-c", `${name}=${value}`);
    // A session of its own: Ctrl-C at the terminal must reach the platform, which then stops the database, last.
    return spawn("/bin/sh", ["-c", endWithUs, join(this.#binaries, "bin", "postgres"), ...args], {
      ...this.#user,
      cwd: this.#folder,
      env: environment,
      detached: true,
      stdio: ["pipe", "ignore", "pipe"],
    });
  }

  #ready(child: ChildProcess): Promise<void> {
    return new Promise((resolve, reject) => {
      const lines: string[] = [];
      this.#lines = lines;
      const timer = setTimeout(() => child.kill("SIGQUIT"), START_MS);
      const reader = createInterface({ input: child.stderr! });
      reader.on("line", (line) => {
        this.#options.logger.debug({ part: "postgres" }, line);
        lines.push(line);
        if (lines.length > OUTPUT_LINES) lines.shift();
        if (!line.includes("database system is ready to accept connections")) return;
        clearTimeout(timer);
        resolve();
      });
      child.stdin!.on("error", () => {}); // broken when the child has gone, which its exit reports
      child.once("error", reject);
      child.once("exit", () => {
        clearTimeout(timer);
        child.stdin!.end("gone\n"); // the watcher need not end anybody any more
        reject(new StartupError(`The embedded database did not start: ${relevantLines(lines)}`));
      });
    });
  }

  async #restart(): Promise<void> {
    let lastMessage = "";
    for (;;) {
      const folder = this.#options.dataDir;
      if (!this.#claim.isHeld()) return this.#lose(`DATA_DIR "${folder}" was removed while the platform was running.`);
      if (noSpace(this.#lines)) {
        // No number of starts helps, and none is too many: it goes on when there is room.
        await delay(NO_SPACE_PAUSE_MS);
      } else if (++this.#deaths > RESTARTS) return this.#lose(`The embedded database died ${RESTARTS} times in a row.`);
      await delay(RESTART_PAUSE_MS);
      if (this.#stopping) return;
      try {
        await this.start();
        this.#options.logger.info({ pid: this.pid }, "the embedded database is back");
        return;
      } catch (error) {
        const message = (error as Error).message;
        const level = message === lastMessage ? "debug" : "error";
        this.#options.logger[level]({ err: error }, "the embedded database did not come back");
        lastMessage = message;
      }
    }
  }

  #lose(why: string): void {
    this.#options.logger.error(why);
    this.#options.onLost?.(new Error(why));
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#end();
    return this.#stopping;
  }

  async #end(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    const timer = setTimeout(() => child.kill("SIGQUIT"), STOP_MS);
    child.kill("SIGINT"); // fast: open transactions are rolled back
    await ended;
    clearTimeout(timer);
  }
}

/**
 * Becomes PostgreSQL, after leaving a watcher behind that reads our end of a pipe: when that closes without a word, this process
 * has died, and the database is stopped. The watcher leaves the folder: who works in it is a process of the database.
 */
const endWithUs = `exec 3<&0; ( cd /; (read -r _ <&3 || kill -INT $$) >/dev/null 2>&1 & ); exec "$0" "$@" </dev/null 3<&-`;

const environment = { PATH: process.env.PATH ?? "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" };

/**
 * The folder as it is given to PostgreSQL. Its user may have no way into the folders above; but it starts inside the folder, and on
 * Linux this name needs no way.
 */
function inside(folder: string, user: Identity | undefined): string {
  return user && existsSync("/proc/self/cwd") ? "/proc/self/cwd" : folder;
}

function handOver(folder: string, { uid, gid }: Identity): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    chownSync(join(entry.parentPath, entry.name), uid, gid);
  }
  chownSync(folder, uid, gid);
  chmodSync(folder, 0o700);
}

/** Lines of the database that are kept. */
const OUTPUT_LINES = 50;
const NO_SPACE = /No space left on device|Disk quota exceeded/i;

function noSpace(lines: readonly string[]): boolean {
  return lines.some((line) => NO_SPACE.test(line));
}

/** The lines that explain a failure: those that name the disk, else the errors, else the last ones. */
function relevantLines(lines: readonly string[]): string {
  for (const pattern of [NO_SPACE, /^(PANIC|FATAL|ERROR):/]) {
    const found = lines.filter((line) => pattern.test(line));
    if (found.length > 0) return [...new Set(found)].slice(-3).join(" ");
  }
  return lastLines(lines.join("\n"));
}

function lastLines(text: string): string {
  return text.trim().split("\n").slice(-3).join(" ");
}
