import { Command } from "commander";

/** Options and the variables that they stand for: the environment is the one place of configuration. */
const variables = {
  dataDir: "DATA_DIR",
  port: "PORT",
  grpcPort: "GRPC_PORT",
  role: "ROLE",
  logLevel: "LOG_LEVEL",
} as const;

/** `telltale serve`: the same as `npm start`. */
export function serveCommand(): Command {
  return new Command("serve")
    .description(
      "run the platform; every setting is an environment variable (see .env.example), these options set some of them",
    )
    .option("--data-dir <folder>", "folder of the embedded dependencies (DATA_DIR)")
    .option("--port <number>", "of REST, GraphQL and health (PORT)")
    .option("--grpc-port <number>", "of gRPC and Connect (GRPC_PORT)")
    .option("--role <roles>", "what the process does: all, or some of ingest, score, query, notify, gateway (ROLE)")
    .option("--log-level <level>", "least level of log lines: trace, debug, info, warn, error (LOG_LEVEL)")
    .action(async (options: Partial<Record<keyof typeof variables, string>>) => {
      for (const [name, value] of Object.entries(options))
        process.env[variables[name as keyof typeof variables]] = value;
      await import("../../server/main.ts");
    });
}
