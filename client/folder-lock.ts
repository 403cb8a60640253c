/**
 * One process at a time in a folder. Who has it stands in a name within the directory `owner.pid`: its process, and when that began, since
 * after a restart of the machine another process may have its number.
 *
 * The directory comes into its place by one rename, which fails while the one that is there holds a name. An owner that is gone is taken
 * out by its name: of several processes that find it gone at the same moment, none can take out another than that, and one of them gets its
 * directory into place. Until then its name tells whose it is, and whoever has the folder removes those of processes that are gone.
 */
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

/** Each try is undone by another process that took or left the folder at that moment. */
const MAX_TRIES = 100;

/** Names of directories that are not in their place yet: process, when it began, and what makes the name new. */
const PREPARED = /^owner-(\d+)-(\d*)-\w+$/;

/** Folders that this process has. */
const inUse = new Set<string>();

export class FolderLock {
  readonly #path: string;
  readonly #own: string;

  private constructor(path: string, own: string) {
    this.#path = path;
    this.#own = own;
  }

  /** @throws Error with a sentence where somebody else has the folder, or its disk is full */
  static take(folder: string): FolderLock {
    const path = join(folder, "owner.pid");
    if (inUse.has(path)) throw new Error(`The buffer ${folder} is in use by another client of this process.`);
    const own = `${process.pid} ${beganAt(process.pid) ?? ""}`.trim();
    const prepared = prepare(folder, own);
    try {
      for (let tries = 0; !moved(prepared, path); tries++) {
        const owner = ownerOf(path);
        if (owner !== undefined || tries === MAX_TRIES) {
          throw new Error(
            `The buffer ${folder} is in use by process ${owner ?? "?"}; remove ${path} if that is not a sender.`,
          );
        }
      }
    } catch (error) {
      rmSync(prepared, { recursive: true, force: true });
      throw error;
    }
    inUse.add(path);
    removeLeftovers(folder, own);
    return new FolderLock(path, own);
  }

  release(): void {
    inUse.delete(this.#path);
    rmSync(join(this.#path, this.#own), { force: true });
    unlessCode(["ENOENT", "ENOTEMPTY", "EEXIST"], () => rmdirSync(this.#path));
  }
}

/** A directory with the owner's name in it: a file with contents, so that a full disk shows here and not with the first reading. */
function prepare(folder: string, own: string): string {
  let prepared: string | undefined;
  try {
    const [pid, began = ""] = own.split(" ");
    prepared = mkdtempSync(join(folder, `owner-${pid}-${began}-`));
    writeFileSync(join(prepared, own), own);
    return prepared;
  } catch (error) {
    if (prepared !== undefined) rmSync(prepared, { recursive: true, force: true });
    // Node's own error does not say which disk.
    if (["ENOSPC", "EDQUOT"].includes(codeOf(error)))
      throw new Error(`The disk of the buffer ${folder} is full: make room there.`, { cause: error });
    throw error;
  }
}

/** Those who were killed while they tried leave their directories behind. Of one that lives it may come into its place yet. */
function removeLeftovers(folder: string, own: string): void {
  for (const name of readdirSync(folder)) {
    const [, pid = "", began = ""] = PREPARED.exec(name) ?? [];
    if (pid === "" || `${pid} ${began}`.trim() === own || isAlive(Number(pid), began)) continue;
    rmSync(join(folder, name), { recursive: true, force: true });
  }
}

function moved(prepared: string, path: string): boolean {
  // EPERM: Windows, where no directory takes the place of another, not even of an empty one.
  return unlessCode(["ENOTEMPTY", "EEXIST", "ENOTDIR", "EPERM"], () => renameSync(prepared, path));
}

/** The process that has the folder. Takes out what is left of one that is gone. */
function ownerOf(path: string): string | undefined {
  let names: readonly string[] = [];
  const isDirectory = unlessCode(["ENOENT", "ENOTDIR"], () => {
    names = readdirSync(path);
  });
  if (!isDirectory) return ownerInFile(path);
  for (const name of names) {
    const owner = aliveOf(name);
    if (owner !== undefined) return owner;
    rmSync(join(path, name), { force: true });
  }
  unlessCode(["ENOENT", "ENOTEMPTY", "EEXIST", "ENOTDIR"], () => rmdirSync(path));
  return undefined;
}

/** Earlier versions have a file with the same text. */
function ownerInFile(path: string): string | undefined {
  let text = "";
  // Another has its directory there by now.
  if (!unlessCode(["ENOENT", "EISDIR"], () => (text = readFileSync(path, "utf8").trim()))) return undefined;
  const owner = aliveOf(text);
  if (owner === undefined) unlessCode(["ENOENT", "EISDIR", "EPERM"], () => unlinkSync(path));
  return owner;
}

/** The number of the process, where it is another one that lives: what this process has, it knows. */
function aliveOf(text: string): string | undefined {
  const [pid = "", began = ""] = text.split(" ");
  return pid !== String(process.pid) && isAlive(Number.parseInt(pid, 10), began) ? pid : undefined;
}

/** @returns whether it was done @throws what has none of the codes */
function unlessCode(codes: readonly string[], act: () => unknown): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if (!codes.includes(codeOf(error))) throw error;
    return false;
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "";
}

/** @param began when the process of that number began, where it was known; empty: any process of the number counts */
function isAlive(pid: number, began: string): boolean {
  // After a power failure the file may be empty; 0 would be a whole group of processes.
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  return began === "" || (beganAt(pid) ?? began) === began;
}

/** When a process began, in the kernel's ticks since the start of the machine; undefined where the system has no /proc. */
function beganAt(pid: number): string | undefined {
  try {
    // The second field is the program's name in parentheses, in which anything may stand.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "");
    return fields.split(" ")[19];
  } catch (error) {
    if (!["ENOENT", "ESRCH", "EACCES"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    return undefined;
  }
}
