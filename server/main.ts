/** The server as a process: environment in, signals, exit codes. */
import { once } from "node:events";
import { startApp } from "./app.ts";
import { loadConfig } from "./config.ts";
import { StartupError } from "./errors.ts";
import { createLogger } from "./observe/logger.ts";
import { startTracing } from "./observe/tracing.ts";

async function main(): Promise<void> {
  const config = loadConfig(process.env);
  const logger = createLogger({ level: config.logLevel });
  const tracing = await startTracing(process.env, "0.1.0");
  const ending = new AbortController();
  const onFatal = (error: Error) => {
    logger.fatal({ err: error }, "the platform cannot go on");
    process.exitCode = 1;
    ending.abort();
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (ending.signal.aborted) process.exit(1); // asked twice: at once
      ending.abort();
    });
  }
  const app = await startApp({ config, logger, tracing: tracing.on, onFatal });
  const lines = [`gRPC, Connect and gRPC-Web  http://${config.bindAddress}:${app.grpcPort}`];
  if (app.httpPort !== undefined) {
    const http = `http://${config.bindAddress}:${app.httpPort}`;
    lines.push(`REST                        ${http}/docs`, `GraphQL                     ${http}/api/v1/graphql`);
    lines.push(
      `Health                      ${http}/health`,
      `Metrics                     ${http}/api/v1/monitoring/metrics`,
    );
  }
  if (config.databaseUrl === undefined) lines.push(`Data                        ${config.dataDir}`);
  process.stdout.write(`Telltale is ready.\n  ${lines.join("\n  ")}\nEnd it with Ctrl-C.\n`);
  if (!ending.signal.aborted) await once(ending.signal, "abort");
  await app.stop();
  await tracing.close();
}

try {
  await main();
  process.exit();
} catch (error) {
  if (error instanceof StartupError) process.stderr.write(`${error.message}\n`);
  else console.error(error);
  process.exit(1);
}
