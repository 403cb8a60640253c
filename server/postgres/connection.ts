import { connect, type NetConnectOpts, type Socket } from "node:net";
import postgres, { type Options, type Sql } from "postgres";

type SqlOptions = Options<Record<string, never>>;
/** A `postgres://` URL (a host that begins with %2F is the folder of a Unix socket), or postgres.js's own options. */
export type SqlAddress = string | SqlOptions;

export interface Client {
  readonly sql: Sql;
  /** Ends the connections at once, also when the server does not answer. */
  destroy(): void;
}

/**
 * Of each session, whatever the server, the database or the role have set: what we write and read has one form, and transactions of ours are
 * made for `read committed`. Not whether they may write: a database that is full is often made one that can only be read.
 *
 * Compiled plans pay for queries of seconds, and are made for what the planner takes for dear: of a commit, whose tables are found by index
 * whatever their size, it thought so of each one, and compiling took many times what the commit takes.
 */
const SESSION = {
  jit: "off",
  default_transaction_isolation: "read committed",
  synchronous_commit: "on",
  standard_conforming_strings: "on",
  extra_float_digits: "1", // all digits of a number
  bytea_output: "hex",
  DateStyle: "ISO",
  TimeZone: "UTC",
} as const;
/** How long a connection may take until the server is ready for queries, in seconds. */
const connectTimeoutS = 10;

/**
 * A postgres.js client whose TCP connections send at once: the library never sets TCP_NODELAY, and each COPY then waits
 * 40 ms for a delayed acknowledgement.
 */
export function openClient(address: SqlAddress, { connection, ...extra }: SqlOptions): Client {
  const sockets = new Set<Socket>();
  let attempt = 0;
  let failures = 0;
  // Handed over while it connects: a factory that fails would leave the library with a connection that it never uses again,
  // and a pool that is lost one failure at a time.
  const socket = (target: Target) => {
    const opened = connect(place(target, attempt++));
    sockets.add(opened);
    opened.once("close", () => sockets.delete(opened));
    opened.once("connect", () => {
      failures = 0;
    });
    opened.once("error", () => failures++);
    closeWithoutError(opened);
    return opened;
  };
  // Not in the library's types, but in its documentation.
  const options = {
    fetch_types: false,
    connect_timeout: connectTimeoutS,
    backoff: () => backoff(failures),
    onnotice: () => {},
    ...extra,
    connection: { ...SESSION, ...connection },
    socket,
  } as SqlOptions;
  const sql = typeof address === "string" ? fromUrl(address, options) : postgres({ ...address, ...options });
  const destroy = () => {
    sql.end({ timeout: 0 }).catch(() => undefined); // rejects what waits; that is all that it can still say
    for (const each of sockets) each.destroy();
  };
  return { sql, destroy };
}

/**
 * A socket that fails says so by "error", and a turn of the event loop later by "close". The library gives the connection another query in
 * between, and where "close" says that there was an error it takes that query for rejected: nobody would hear of it again, and a pool of
 * one connection would wait for ever. Told of none, it rejects what is under way.
 */
function closeWithoutError(socket: Socket): void {
  const emit = socket.emit.bind(socket) as (event: string, ...args: unknown[]) => boolean;
  socket.emit = ((event: string, ...args: unknown[]) =>
    event === "close" ? emit(event, false) : emit(event, ...args)) as Socket["emit"];
}

function fromUrl(address: string, options: SqlOptions): Sql {
  const url = new URL(address);
  const host = decodeURIComponent(url.hostname);
  if (!host.startsWith("/")) return postgres(address, options);
  const path = `${host}/.s.PGSQL.${url.port || 5432}`;
  url.hostname = "localhost";
  return postgres(url.href, { ...options, path });
}

/** Seconds before the next attempt to connect; the library's own grow to 20, and with them every recovery. */
function backoff(retries: number): number {
  return Math.min(0.05 * 2 ** retries, 1) * (0.5 + Math.random() / 2);
}

interface Target {
  readonly path: string | false | undefined;
  readonly host: readonly string[];
  readonly port: readonly number[];
}

/** Of several hosts each attempt takes the next. */
function place({ path, host, port }: Target, attempt: number): NetConnectOpts {
  if (path) return { path };
  const index = attempt % host.length;
  return { host: host[index]!, port: Number(port[index] ?? port[0] ?? 5432), noDelay: true };
}
