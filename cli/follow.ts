import { setTimeout as delay } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { backoffMs } from "../client/backoff.ts";
import { connect } from "../client/transport.ts";
import { credentials, outageReporter, type ServerOptions } from "./server.ts";
import { untilInterrupted } from "./signals.ts";

const MAX_BACKOFF_MS = 5_000;

/** Watches until Ctrl-C; after a lost connection continues where it was. */
export async function follow<R extends { resumeToken: string; missed: boolean }>(
  options: ServerOptions,
  watch: (connection: ReturnType<typeof connect>, resumeToken: string, signal: AbortSignal) => AsyncIterable<R>,
  show: (response: R) => void,
): Promise<void> {
  const connection = connect(credentials(options));
  const report = outageReporter((text) => console.error(text));
  let resumeToken = "";
  try {
    await untilInterrupted(async (signal) => {
      for (let attempt = 0; !signal.aborted; attempt++) {
        try {
          for await (const response of watch(connection, resumeToken, signal)) {
            report({ connected: true });
            attempt = 0;
            if (response.missed) console.error("(some were missed here; query the server for them)");
            show(response);
            resumeToken = response.resumeToken || resumeToken;
          }
        } catch (error) {
          if (signal.aborted) return;
          const failure = ConnectError.from(error);
          if (final.has(failure.code)) throw failure;
          report({ connected: false, reason: failure.rawMessage });
        }
        await delay(backoffMs(attempt, MAX_BACKOFF_MS), undefined, { signal });
      }
    });
    process.exitCode = 0; // Ctrl-C is how a watch ends
  } finally {
    connection.close();
  }
}

/** What trying again cannot change. */
const final = new Set([Code.InvalidArgument, Code.Unauthenticated, Code.PermissionDenied, Code.Unimplemented]);
