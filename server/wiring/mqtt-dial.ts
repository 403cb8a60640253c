/** Connections to the user's broker, and the files that they need. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { StartupError } from "../errors.ts";
import { BrokerError, type Wire } from "../ingest/protocols/mqtt/connection.ts";
import { ANSWER_MS } from "../ingest/protocols/mqtt/limits.ts";
import type { MqttSettings } from "../ingest/protocols/mqtt/settings.ts";
import { either, ignoreRejection } from "../lib/signals.ts";

/** Quiet for so long, a connection is probed. */
const PROBE_MS = 60_000;

/** What is missing at the start stops it; what goes missing later is said with each try to connect. */
export async function checkFiles({ caFile, certFile, keyFile, passwordFile }: MqttSettings): Promise<void> {
  const named = {
    MQTT_CA_FILE: caFile,
    MQTT_CERT_FILE: certFile,
    MQTT_KEY_FILE: keyFile,
    MQTT_PASSWORD_FILE: passwordFile,
  };
  for (const [name, file] of Object.entries(named)) if (file !== undefined) await readNamed(name, file);
}

export async function readNamed(name: string, file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new StartupError(`${name} is "${file}", which cannot be read (${code ?? message}).`, { cause: error });
  }
}

async function ofFile(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new BrokerError(`${file} cannot be read (${code ?? message})`);
  }
}

export async function secretOf(file: string): Promise<string> {
  return (await ofFile(file)).replace(/\r?\n$/, "");
}

/** @throws BrokerError where no connection comes about within a time */
export async function dial(settings: MqttSettings, address: string, ending: AbortSignal): Promise<Wire> {
  const { host, port, tls } = settings;
  const socket = tls ? connectTls({ host, port, ...(await tlsOptions(settings)) }) : connectTcp({ host, port });
  const { signal, leave } = either(ending, AbortSignal.timeout(ANSWER_MS));
  try {
    await once(socket, tls ? "secureConnect" : "connect", { signal });
  } catch (error) {
    // Its error has been heard; a later one of the same socket has nobody who needs it.
    socket.on("error", ignoreRejection);
    socket.destroy();
    ending.throwIfAborted();
    const { code, message } = error as NodeJS.ErrnoException;
    const why = signal.aborted ? `no answer within ${ANSWER_MS / 1_000} s` : (code ?? message);
    throw new BrokerError(`The broker cannot be reached at ${address} (${why})`);
  } finally {
    leave();
  }
  socket.setNoDelay(true);
  // A broker may want no pings (MQTT 5): the system finds out then that it is gone.
  socket.setKeepAlive(true, PROBE_MS);
  return wireOf(socket);
}

async function tlsOptions({ host, caFile, certFile, keyFile }: MqttSettings) {
  return {
    ...(isIP(host) === 0 && { servername: host }),
    ...(caFile !== undefined && { ca: await ofFile(caFile) }),
    ...(certFile !== undefined &&
      keyFile !== undefined && { cert: await ofFile(certFile), key: await ofFile(keyFile) }),
  };
}

/** A socket that is ended goes for good once its last bytes are out, whatever the other side does. */
function wireOf(socket: Socket): Wire {
  return {
    on: socket.on.bind(socket),
    write: (bytes) => socket.write(bytes),
    end: () => socket.destroySoon(),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    destroy: () => socket.destroy(),
  };
}
