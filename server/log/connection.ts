import { connect, type Socket } from "node:net";
import postgres, { type Options, type Sql } from "postgres";

type SqlOptions = Options<Record<string, never>>;
/** A `postgres://` URL (a host that begins with %2F is the folder of a Unix socket), or postgres.js's own options. */
export type SqlAddress = string | SqlOptions;

export interface Client {
  readonly sql: Sql;
  /** Ends the connections at once, also when the server does not answer. */
  destroy(): void;
}

/** How long a connection may take to open, TCP handshake alone. */
const connectTimeoutMs = 10_000;

/**
 * A postgres.js client whose TCP connections send at once: the library never sets TCP_NODELAY, and each COPY then waits
 * 40 ms for a delayed acknowledgement.
 */
export function openClient(address: SqlAddress, extra: SqlOptions): Client {
  const sockets = new Set<Socket>();
  const socket = async (target: Target) => {
    const opened = await firstToAnswer(target);
    sockets.add(opened);
    opened.once("close", () => sockets.delete(opened));
    return opened;
  };
  // Not in the library's types, but in its documentation.
  const options = { fetch_types: false, onnotice: () => {}, ...extra, socket } as SqlOptions;
  const sql = typeof address === "string" ? fromUrl(address, options) : postgres({ ...address, ...options });
  const destroy = () => {
    sql.end({ timeout: 0 }).catch(() => undefined); // rejects what waits; that is all that it can still say
    for (const each of sockets) each.destroy();
  };
  return { sql, destroy };
}

function fromUrl(address: string, options: SqlOptions): Sql {
  const url = new URL(address);
  const host = decodeURIComponent(url.hostname);
  if (!host.startsWith("/")) return postgres(address, options);
  const path = `${host}/.s.PGSQL.${url.port || 5432}`;
  url.hostname = "localhost";
  return postgres(url.href, { ...options, path });
}

interface Target {
  readonly path: string | false | undefined;
  readonly host: readonly string[];
  readonly port: readonly number[];
}

async function firstToAnswer({ path, host, port }: Target): Promise<Socket> {
  if (path) return connected({ path });
  let failure: unknown;
  for (const [index, name] of host.entries()) {
    try {
      return await connected({ host: name, port: Number(port[index] ?? port[0] ?? 5432), noDelay: true });
    } catch (error) {
      failure = error; // the last one is the one reported
    }
  }
  throw failure;
}

function connected(to: { path: string } | { host: string; port: number; noDelay: boolean }): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(to);
    const timer = setTimeout(() => socket.destroy(new Error("connecting took too long")), connectTimeoutMs);
    socket.once("error", reject);
    socket.once("close", () => clearTimeout(timer));
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.off("error", reject);
      resolve(socket);
    });
  });
}
