/** The server as a process: environment in, signals, exit codes. */
import { once } from "node:events";
import description from "../package.json" with { type: "json" };
import { startApp } from "./app.ts";
import { type Config, loadConfig } from "./config.ts";
import { StartupError } from "./errors.ts";
import { createLogger } from "./observe/logger.ts";
import { startTracing } from "./observe/tracing.ts";

/** What stopping may take beyond the time that calls under way have. */
const STOP_MORE_MS = 20_000;
/** Signals this close together are one. */
const SAME_SIGNAL_MS = 1000;

async function main(): Promise<void> {
  const config = loadConfig(process.env);
  const logger = createLogger({ level: config.logLevel });
  const tracing = await startTracing(process.env, description.version);
  const ending = new AbortController();
  const onFatal = (error: Error) => {
    logger.fatal({ err: error }, "the platform cannot go on");
    process.exitCode = 1;
    ending.abort();
  };
  let askedAt = Number.POSITIVE_INFINITY;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      // Ctrl-C reaches the whole process group, and npm passes it on as well: only a later one means "at once".
      if (performance.now() - askedAt > SAME_SIGNAL_MS) process.exit(1);
      askedAt = Math.min(askedAt, performance.now());
      ending.abort();
    });
  }
  const app = await startApp({ config, logger, tracing: tracing.on, onFatal }).catch((error: unknown) => {
    throw nameOfPort(error, config) ?? error;
  });
  const lines: string[] = [];
  const scheme = config.security.tls === undefined ? "http" : "https";
  if (app.grpcPort !== undefined)
    lines.push(`gRPC, Connect and gRPC-Web  ${scheme}://${config.bindAddress}:${app.grpcPort}`);
  if (app.httpPort !== undefined) {
    const http = `${scheme}://${config.bindAddress}:${app.httpPort}`;
    lines.push(`REST                        ${http}/docs`, `GraphQL                     ${http}/api/v1/graphql`);
    lines.push(
      `Health                      ${http}/health`,
      `Metrics                     ${http}/api/v1/monitoring/metrics`,
    );
  }
  if (config.databaseUrl === undefined) lines.push(`Data                        ${config.dataDir}`);
  process.stdout.write(`Telltale is ready.\n  ${lines.join("\n  ")}\nEnd it with Ctrl-C.\n`);
  if (!ending.signal.aborted) await once(ending.signal, "abort");
  // Whatever still hangs then: the data is safe, a process that never ends is not.
  setTimeout(() => {
    logger.fatal("stopping took too long: ending now");
    process.exit(1);
  }, config.shutdownGraceMs + STOP_MORE_MS).unref();
  await app.stop();
  await tracing.close();
}

/** A port that cannot be had, as a sentence that names the variable. */
function nameOfPort(error: unknown, { httpPort }: Config): StartupError | undefined {
  const { syscall, code, port, address, message } = error as NodeJS.ErrnoException & {
    port?: number;
    address?: string;
  };
  if (syscall !== "listen") return undefined;
  const name = port === httpPort ? "PORT" : "GRPC_PORT";
  const why = code === "EADDRINUSE" ? "is in use: end what uses it, or" : `cannot be had (${code ?? message}):`;
  return new StartupError(`${name} ${port} on ${address} ${why} set ${name} to another.`, { cause: error });
}

try {
  await main();
  process.exit();
} catch (error) {
  if (error instanceof StartupError) process.stderr.write(`${error.message}\n`);
  else console.error(error);
  process.exit(1);
}
