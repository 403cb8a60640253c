import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "./processes.ts";
import { program } from "./programs.ts";
import { type ServerProcess, serverFolder, startServer } from "./server-process.ts";

/** It saves its sessions where it is shut down. */
export interface TestMosquitto extends ServerProcess {
  readonly url: string;
  readonly port: number;
}

export interface MosquittoOptions {
  /** Where `lines` bring a listener of their own, and who may connect to it. */
  readonly port?: number;
  /** Lines of its configuration, beside the listener. */
  readonly lines?: readonly string[];
  /** Lines `user:hash` as mosquitto_passwd writes them. Without them everybody may connect. */
  readonly passwords?: string;
  /** Files of the listener's TLS. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
}

/** A private broker on a free port. Sessions are kept over its restarts. */
export async function startMosquitto({
  lines = [],
  port: own,
  passwords,
  tls,
}: MosquittoOptions = {}): Promise<TestMosquitto> {
  const path = program("mosquitto");
  if (path === undefined) throw new Error("mosquitto is not installed");
  const folder = serverFolder("mosquitto");
  // As root it goes on as another user, who must get in.
  chmodSync(folder, 0o777);
  const port = own ?? (await freePort());
  const passwordFile = join(folder, "passwords");
  if (passwords !== undefined) writeFileSync(passwordFile, passwords, { mode: 0o644 });
  const listener = [
    `listener ${port} 127.0.0.1`,
    ...(passwords === undefined ? ["allow_anonymous true"] : [`password_file ${passwordFile}`]),
    ...(tls === undefined ? [] : [`certfile ${tls.certFile}`, `keyfile ${tls.keyFile}`]),
    // Otherwise an acknowledgement waits up to 40 ms for another one to go along with.
    "set_tcp_nodelay true",
  ];
  const config = [
    ...(own === undefined ? listener : []),
    "persistence true",
    `persistence_location ${folder}/`,
    "log_dest stderr",
    ...lines,
  ];
  const file = join(folder, "mosquitto.conf");
  writeFileSync(file, `${config.join("\n")}\n`, { mode: 0o644 });
  const server = await startServer({
    ...{ folder, command: path, args: ["-c", file, "-v"], ready: /mosquitto version .* running/ },
    options: { cwd: folder, stdio: ["ignore", "ignore", "pipe"] },
  });
  return Object.assign(server, { url: `${tls === undefined ? "mqtt" : "mqtts"}://127.0.0.1:${port}`, port });
}
