import {
  accessSync,
  closeSync,
  constants,
  linkSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeFolder } from "../../formats/folder.ts";
import { StartupError } from "../errors.ts";

/** A process that is just ending gives the folder free within this time; a live one does not. */
const OWNER_LEAVES_MS = 5_000;
/** Stale sockets are replaced in one try; more tries mean that others start at the same moment. */
const CLAIM_TRIES = 20;
/** Unix socket addresses hold 104 bytes on macOS and 108 on Linux, with a closing zero. */
const MAX_SOCKET_BYTES = 103;
const longestSocket = join("postgres", ".s.PGSQL.5432");

export interface DataDir {
  readonly path: string;
  /** The same folder under a name that is short enough for the addresses of Unix sockets in it. For this process only. */
  readonly short: string;
  /** False where somebody removed the folder under us, and perhaps another process has created and claimed it. */
  isHeld(): boolean;
  /** Gives the folder to the next process. */
  release(): void;
}

/**
 * Makes the folder if need be and claims it for this process, for as long as the process lives: the claim is a listening socket,
 * which the system closes however the process ends. Throws StartupError when it is claimed already or cannot be written.
 */
export async function claimDataDir(path: string): Promise<DataDir> {
  const short = prepare(path);
  try {
    const server = await claim(short.path, path);
    const socket = join(path, "owner.sock");
    const ours = statSync(socket).ino;
    const isHeld = () => statSync(socket, { throwIfNoEntry: false })?.ino === ours;
    return {
      path,
      short: short.path,
      isHeld,
      release() {
        if (isHeld()) rmSync(socket, { force: true });
        server.close();
        short.remove();
      },
    };
  } catch (error) {
    short.remove();
    throw error;
  }
}

function prepare(path: string): { path: string; remove(): void } {
  try {
    makeFolder(path, 0o700);
    accessSync(path, constants.W_OK | constants.X_OK);
    return shorten(path);
  } catch (error) {
    throw unwritable(path, error);
  }
}

/** A handle on the folder names it shortly on Linux; elsewhere a link in the temporary folder does. */
function shorten(path: string): { path: string; remove(): void } {
  if (Buffer.byteLength(join(path, longestSocket)) <= MAX_SOCKET_BYTES) return { path, remove: () => {} };
  if (process.platform === "linux") {
    const handle = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    return { path: `/proc/self/fd/${handle}`, remove: () => closeSync(handle) };
  }
  const folder = mkdtempSync(join(tmpdir(), "telltale-"));
  const link = join(folder, "d");
  symlinkSync(path, link, "dir");
  return { path: link, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Error codes in words. */
const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "read-only file system",
  ENOSPC: "no space left on its disk",
  EDQUOT: "the disk quota is used up",
  ENAMETOOLONG: "the name is too long",
  EEXIST: "it is no folder",
  ENOTDIR: "a part of the path is no folder",
  ENOENT: "the file system takes no new folder there",
  ELOOP: "the path's links lead in a circle",
};

/** What a start says where the folder cannot hold the data. */
export function unwritable(path: string, error: unknown): StartupError {
  const { code = "", message } = error as NodeJS.ErrnoException;
  const why = REASONS[code] ?? message;
  return new StartupError(
    `DATA_DIR is "${path}", which cannot be written (${why}): name a folder that this user may write.`,
    { cause: error },
  );
}

/** Listens under a name of its own and then links that to the common name, which fails where another process has it. */
async function claim(short: string, path: string): Promise<Server> {
  const own = join(short, `owner.${process.pid}.sock`);
  const common = join(short, "owner.sock");
  rmSync(own, { force: true });
  const server = await listen(own).catch((error: unknown) => {
    throw unwritable(path, error);
  });
  try {
    for (let tries = 0; tries < CLAIM_TRIES; tries++) {
      if (link(own, common)) return server;
      const owner = await ownerOf(common, OWNER_LEAVES_MS);
      if (owner !== undefined) throw taken(path, owner);
      await retire(common, join(short, `owner.${process.pid}.stale`));
    }
    throw taken(path, "another starting process");
  } catch (error) {
    server.close();
    throw error;
  } finally {
    rmSync(own, { force: true });
  }
}

function taken(path: string, owner: string): StartupError {
  return new StartupError(
    `DATA_DIR "${path}" is in use by ${owner}: stop that one first, or name another folder for this one.`,
  );
}

/** Removes the socket of a dead process. If a live one took the name meanwhile, it gets it back. */
async function retire(common: string, aside: string): Promise<void> {
  rmSync(aside, { force: true });
  try {
    renameSync(common, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return; // another did it
    throw error;
  }
  if ((await ownerOf(aside, 0)) !== undefined) link(aside, common);
  rmSync(aside, { force: true });
}

function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const asking = new Set<Socket>();
    const server = createServer((socket) => {
      asking.add(socket);
      socket.on("error", () => socket.destroy()).on("close", () => asking.delete(socket));
      socket.unref();
      socket.write(`process ${process.pid}`);
    });
    const close = server.close.bind(server);
    server.close = (done) => {
      for (const socket of asking) socket.destroy();
      return close(done);
    };
    server.once("error", reject).listen(path, () => resolve(server.unref()));
  });
}

/** Who listens there, if that one is still there after the given time; undefined where nobody is. */
function ownerOf(path: string, waitMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    let name = "another process";
    const socket = connect(path);
    const timer = setTimeout(() => {
      resolve(name);
      socket.destroy();
    }, waitMs);
    socket.on("data", (data) => {
      name = data.toString("utf8");
    });
    // No permission to ask means that somebody else is there; every other error that nobody listens.
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EACCES" || error.code === "EPERM") resolve(name);
    });
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(undefined);
    });
  });
}
