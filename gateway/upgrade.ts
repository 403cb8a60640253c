/** Connections that ask for another protocol. Node no longer watches over them: neither their errors nor their time. */
import type { Duplex } from "node:stream";

/** For the answer to reach a caller that does not read. */
const ANSWER_MS = 2_000;

/** Ends the connection where it fails: an error that nobody listens for would end the process. */
export function endOnError(socket: Duplex): void {
  socket.on("error", () => socket.destroy());
}

/** Answers with a refusal and lets go of the connection, also where the caller keeps its own side open. */
export function refuseUpgrade(socket: Duplex, status: string, headers = ""): void {
  const timer = setTimeout(() => socket.destroy(), ANSWER_MS);
  socket.once("close", () => clearTimeout(timer));
  socket.end(`HTTP/1.1 ${status}\r\n${headers}connection: close\r\ncontent-length: 0\r\n\r\n`, () => socket.destroy());
}
