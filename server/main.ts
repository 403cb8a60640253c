/** The server as a process: environment in, signals, exit codes. */
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { inspect } from "node:util";
import description from "../package.json" with { type: "json" };
import type { App } from "./app.ts";
import { type Config, loadConfig } from "./config.ts";
import { StartupError } from "./errors.ts";
import { urlHost } from "./lib/authority.ts";
import { misspelled, recorded, warnOfMisspelled } from "./misspelled.ts";
import { createLogger } from "./observe/logger.ts";
import { createScrub, passwordsOf } from "./observe/scrub.ts";
import { startTracing } from "./observe/tracing.ts";

/** What stopping may take beyond the time that calls under way have. */
const STOP_MORE_MS = 20_000;
/** Time for a start that is interrupted to release what it has begun. */
const START_ENDS_MS = 5_000;
/** Signals this close together are one. */
const SAME_SIGNAL_MS = 1000;

/** What is beside the environment: nothing but asking for help. */
const USAGE = `Usage: npm start                  start the platform; Ctrl-C ends it
       npm start -- --help        print this and end
       npm start -- --version     print the version and end

There are no other options: every setting is an environment variable. All of them stand in .env.example, each with its default
and what it does. Those wanted most often:
  DATA_DIR      folder of the embedded database and log (.telltale)
  PORT          REST, GraphQL, health and metrics (8000)
  GRPC_PORT     gRPC, Connect and gRPC-Web (50051)
  BIND_ADDRESS  address to listen on (127.0.0.1); any other than the loopback needs AUTH=on
  AUTH          on: every call needs a token (off)
  LOG_LEVEL     trace, debug, info, warn, error (info)
For example: PORT=9000 DATA_DIR=/var/lib/telltale npm start
"npm run -s telltale -- --help" shows the commands that work with a running platform.
`;

/** What the arguments ask for, where they ask for something else than to start. */
function answerTo(args: readonly string[]): string | undefined {
  const unknown = args.find((arg) => !["--help", "-h", "--version", "-V"].includes(arg));
  if (unknown !== undefined)
    throw new StartupError(`${JSON.stringify(unknown)} is no option of the platform. --help lists the options.`);
  if (args.length === 0) return undefined;
  return args.some((arg) => arg === "--help" || arg === "-h") ? USAGE : `${description.version}\n`;
}

async function main(): Promise<void> {
  // Under `telltale serve` the arguments are that command's, and read by it.
  const answer = import.meta.main ? answerTo(process.argv.slice(2)) : undefined;
  if (answer !== undefined) {
    process.stdout.write(answer);
    return;
  }
  const asked = new Set<string>();
  const config = loadConfig(recorded(process.env, asked));
  const { security, databaseUrl, redisUrl, mqtt } = config;
  const passwords = [...passwordsOf(databaseUrl), ...passwordsOf(redisUrl)];
  const scrub = createScrub([security.adminToken, security.gatewaySecret, mqtt?.password, ...passwords]);
  const logger = createLogger({ level: config.logLevel, scrub });
  warnOfMisspelled(misspelled(process.env, asked), logger);
  const tracing = await startTracing(process.env, description.version);
  const about = { version: description.version, node: process.version, pid: process.pid, roles: [...config.roles] };
  logger.info(about, "starting");
  const ending = new AbortController();
  const onFatal = (error: Error) => {
    logger.fatal({ err: error }, "the platform cannot continue");
    process.exitCode = 1;
    ending.abort();
  };
  let askedAt = Number.POSITIVE_INFINITY;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      // Ctrl-C reaches the whole process group, and npm passes it on as well: only a later one means "at once".
      if (performance.now() - askedAt > SAME_SIGNAL_MS) {
        logger.warn({ signal }, "second signal: stopping at once");
        process.exit(1);
      }
      if (!ending.signal.aborted) logger.info({ signal }, "stopping");
      askedAt = Math.min(askedAt, performance.now());
      ending.abort();
    });
  }
  const options = { config, logger, tracing: tracing.on, onFatal, ending: ending.signal };
  // Thousands of modules: what is wrong with the settings is said before they are loaded, and a signal meanwhile is heard.
  const { startApp } = await import("./app.ts");
  const app = await startedOrEnded(startApp(options), ending.signal).catch((error: unknown) => {
    throw nameOfPort(error, config) ?? error;
  });
  if (app === undefined) {
    logger.info("stopped before it was ready");
    return;
  }
  const lines: string[] = [];
  const scheme = config.security.tls === undefined ? "http" : "https";
  const host = urlHost(config.bindAddress);
  if (app.grpcPort !== undefined) lines.push(`gRPC, Connect and gRPC-Web  ${scheme}://${host}:${app.grpcPort}`);
  if (app.httpPort !== undefined) {
    const http = `${scheme}://${host}:${app.httpPort}`;
    lines.push(`Console                     ${http}/ui/`);
    lines.push(`REST                        ${http}/docs`, `GraphQL                     ${http}/api/v1/graphql`);
    lines.push(
      `Health                      ${http}/health`,
      `Metrics                     ${http}/api/v1/monitoring/metrics`,
    );
  }
  if (config.databaseUrl === undefined) lines.push(`Data                        ${config.dataDir}`);
  logger.info({ ...about, grpcPort: app.grpcPort, httpPort: app.httpPort }, "ready");
  process.stdout.write(`Telltale is ready.\n  ${lines.join("\n  ")}\nEnd it with Ctrl-C.\n`);
  if (!ending.signal.aborted) await once(ending.signal, "abort");
  const stopping = performance.now();
  // Whatever still hangs then: the data is safe, a process that never ends is not.
  setTimeout(() => {
    logger.fatal("stopping took too long: exiting now");
    process.exit(1);
  }, config.shutdownGraceMs + STOP_MORE_MS).unref();
  await app.stop();
  await tracing.close();
  logger.info({ afterMs: Math.round(performance.now() - stopping) }, "stopped");
}

/**
 * The started app, or undefined where the process is to end before that. What a start has begun is given back within a few seconds; a
 * database that it leaves behind ends by itself, and the next start goes on from any state.
 */
async function startedOrEnded(starting: Promise<App>, ending: AbortSignal): Promise<App | undefined> {
  const timedOut = once(ending, "abort").then(() => delay(START_ENDS_MS, undefined, { ref: false }));
  const failed = starting.catch((error: unknown) => {
    if (ending.aborted) return undefined; // it was interrupted: its error does not matter then
    throw error;
  });
  const app = await Promise.race([failed, timedOut]);
  if (!ending.aborted) return app ?? undefined;
  await app?.stop();
  return undefined;
}

/** A port that cannot be had, as a sentence that names the variable. */
function nameOfPort(error: unknown, { httpPort, bindAddress }: Config): StartupError | undefined {
  const { syscall, code, port, address, message } = error as NodeJS.ErrnoException & {
    port?: number;
    address?: string;
  };
  if (syscall !== "listen" && syscall !== "getaddrinfo") return undefined;
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND" || code === "EINVAL") {
    const wanted = "an address of this machine, such as 127.0.0.1 or 0.0.0.0";
    return new StartupError(`BIND_ADDRESS is "${bindAddress}" (${code}), but it must be ${wanted}.`, { cause: error });
  }
  const name = port === httpPort ? "PORT" : "GRPC_PORT";
  const why = code === "EADDRINUSE" ? "is in use: end what uses it, or" : `cannot be had (${code ?? message}):`;
  return new StartupError(`${name} ${port} on ${address} ${why} set ${name} to another.`, { cause: error });
}

try {
  await main();
  process.exit();
} catch (error) {
  const scrub = createScrub();
  process.stderr.write(`${scrub(error instanceof StartupError ? error.message : inspect(error))}\n`);
  process.exit(1);
}
