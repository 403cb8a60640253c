/** A collector as a process, with its configuration in a folder of its own. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { type CliRun, runCli } from "../cli.ts";
import { until } from "../metric.ts";
import { end } from "../processes.ts";

export interface TestCollector extends CliRun {
  /** Resolves when it has logged a line with the text. */
  logged(text: string): Promise<void>;
  /** As an operator ends it. @returns its exit code */
  stop(): Promise<number | NodeJS.Signals | null>;
  kill(): Promise<void>;
}

/** @param settings beside the spool, which is in the folder */
export function writeConfig(folder: string, settings: Readonly<Record<string, unknown>>): string {
  const file = join(folder, "collect.yaml");
  writeFileSync(file, stringify({ spool: { folder: join(folder, "spool") }, ...settings }));
  return file;
}

export function startCollector(kind: "modbus" | "opcua" | "mqtt", config: string): TestCollector {
  const cli = runCli("collect", kind, config);
  return {
    ...cli,
    logged: (text) =>
      until(() => {
        if (cli.process.exitCode !== null) throw new Error(`the collector has ended:\n${cli.stderr()}`);
        return cli.stderr().includes(text);
      }),
    stop: async () => {
      await end(cli.process);
      return await cli.ended;
    },
    kill: () => end(cli.process, "SIGKILL"),
  };
}
