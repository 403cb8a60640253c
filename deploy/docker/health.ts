/**
 * Asks this container's own listeners whether they serve: exit code 0 when all do. It reads the same environment as the server, so
 * it knows the roles, the ports and whether there is TLS. Where a client certificate is required it shows the one in
 * HEALTH_CERT_FILE and HEALTH_KEY_FILE; without these, a listener that asks for a certificate is taken for one that serves: that is as far
 * as anybody sees who has none.
 */
import { readFileSync } from "node:fs";
import { request as requestClear } from "node:http";
import { request as requestTls } from "node:https";
import { type Config, loadConfig } from "../../server/config.ts";

/** Shorter than the time that Docker gives the whole check, so that it is we who say what was wrong. */
const TIMEOUT_MS = 3_000;

function listeningPorts({ roles, httpPort, grpcPort }: Config): number[] {
  const services = [...roles].some((role) => role !== "gateway");
  return [...(services ? [grpcPort] : []), ...(roles.has("gateway") ? [httpPort] : [])];
}

/** What a listener answers to a caller without a certificate, by TLS 1.3 and 1.2. */
const WANTS_CERTIFICATE = /CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|BAD_CERTIFICATE/;

/** The certificate to show, where there is one. */
function identity(env: NodeJS.ProcessEnv): { cert: Buffer; key: Buffer } | undefined {
  const { HEALTH_CERT_FILE: cert, HEALTH_KEY_FILE: key } = env;
  if (!cert && !key) return undefined;
  if (!cert || !key) throw new Error("HEALTH_CERT_FILE and HEALTH_KEY_FILE belong together: set both or neither.");
  return { cert: readFileSync(cert), key: readFileSync(key) };
}

/** Rejects with a message where the listener does not answer 200. */
function ask(port: number, { bindAddress, security }: Config): Promise<void> {
  const host = bindAddress === "0.0.0.0" ? "127.0.0.1" : bindAddress === "::" ? "::1" : bindAddress;
  const options = { host, port, path: "/health", timeout: TIMEOUT_MS };
  return new Promise((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`The listener on port ${port} is not healthy: ${why}.`));
    // The certificate is for the name that others call; here only whether somebody serves is asked.
    const own = identity(process.env);
    const request = security.tls
      ? requestTls({ ...options, rejectUnauthorized: false, ...own })
      : requestClear(options);
    const isStranger = security.tls?.clientCertificates === "required" && own === undefined;
    request.on("response", (response) => {
      response.resume();
      if (response.statusCode === 200) resolve();
      else fail(`it answers ${response.statusCode}`);
    });
    request.on("timeout", () => request.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    request.on("error", (error: NodeJS.ErrnoException) => {
      if (isStranger && WANTS_CERTIFICATE.test(error.code ?? "")) resolve();
      else fail(error.message);
    });
    request.end();
  });
}

try {
  const config = loadConfig(process.env);
  await Promise.all(listeningPorts(config).map((port) => ask(port, config)));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
