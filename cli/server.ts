import { type Command, Option } from "commander";
import type { DeviceClientOptions } from "../client/index.ts";

export interface ServerOptions {
  readonly url: string;
  readonly token?: string;
}

/** The options of every command that talks to a server. */
export function withServer(command: Command): Command {
  return command
    .addOption(
      new Option("--url <address>", "gRPC endpoint of the server")
        .default("http://127.0.0.1:50051")
        .env("TELLTALE_URL"),
    )
    .addOption(new Option("--token <token>", "bearer token; better by the variable").env("TELLTALE_TOKEN"));
}

export function credentials({ url, token }: ServerOptions): Pick<DeviceClientOptions, "url" | "token"> {
  return { url, ...(token === undefined ? {} : { token }) };
}

/** Reports once when the connection is lost, and once when it is back. */
export function outageReporter(report: (text: string) => void): NonNullable<DeviceClientOptions["onConnection"]> {
  let lost = false;
  // Of one that was there the address is right.
  let hint = " Another address: --url, or TELLTALE_URL.";
  return ({ connected, reason }) => {
    if (connected) hint = "";
    if (connected === !lost) return;
    lost = !connected;
    report(
      connected
        ? "The server is back; continuing."
        : `The server is unavailable (${reason}); retrying until it is back.${hint}`,
    );
  };
}
