/** A database that does not answer for a while. */

/** Pauses between tries while the database is unavailable: long enough not to hammer it, short enough to heal within seconds. */
export const RETRY_FIRST_MS = 50;
export const RETRY_MOST_MS = 2000;

/** SQLSTATE of a transaction that may only read: what managed databases make of all of them when their disk is full. */
const READ_ONLY = "25006";

/** What a statement may lack, by SQLSTATE, as what follows "the database". One that only reads may lack it where writes do not. */
const WITHOUT_RESOURCES: ReadonlyMap<string, string> = new Map([
  ["53000", "is out of resources"],
  ["53200", "is out of memory"],
  ["53400", "has reached a limit of its configuration"],
]);
/** Why a write is refused for want of room. */
const WITHOUT_ROOM: ReadonlyMap<string, string> = new Map([
  ...WITHOUT_RESOURCES,
  ["53100", "has no room on its disk"],
  [READ_ONLY, "takes no writes"],
]);

/** Why the database takes nothing at present that is written, a sentence for callers; undefined where the error says something else. */
export function withoutRoom(error: unknown): string | undefined {
  return sentence(WITHOUT_ROOM, error);
}

/** What the database lacks for a statement, a sentence for callers. Nothing follows from it for others, or for what is taken in. */
export function withoutResources(error: unknown): string | undefined {
  return sentence(WITHOUT_RESOURCES, error);
}

function sentence(reasons: ReadonlyMap<string, string>, error: unknown): string | undefined {
  const { code = "" } = error as { code?: string };
  const why = reasons.get(code);
  return why === undefined ? undefined : `the database ${why} (SQLSTATE ${code})`;
}

/** SQLSTATE of a lost connection and of a server that starts or stops, and the codes of the driver and of sockets for the same. */
const DOES_NOT_ANSWER = /^(08|57P0|CONNECTION_|CONNECT_TIMEOUT|ECONN|EPIPE|ETIMEDOUT|EHOST|ENOTFOUND|EAI_AGAIN)/;

/** Whether nobody has answered, for now: the connection is lost, or there is none to be had. */
export function doesNotAnswer(error: unknown): boolean {
  const { code = "", syscall } = error as { code?: string; syscall?: string };
  // The socket in a folder is not there while the server is not.
  return DOES_NOT_ANSWER.test(code) || (code === "ENOENT" && syscall === "connect");
}

/** Whether the database may answer the same request later: it is unavailable, starting, stopping, out of connections or full. */
export function isUnavailable(error: unknown): boolean {
  const code = (error as { code?: string }).code ?? "";
  return /^(57P|53|40)/.test(code) || code === "55006" || code === READ_ONLY || doesNotAnswer(error);
}

/**
 * Whether the database refuses the request for what is in it and would refuse it again: SQLSTATE classes 21 and 22 (data), 23 (a
 * constraint) and 54 (more than the program can hold). Not what a connection, a resource, a lock or a version of the schema is to blame for.
 */
export function isRefusal(error: unknown): boolean {
  return /^(21|22|23|54)[0-9A-Z]{3}$/.test((error as { code?: string }).code ?? "");
}
