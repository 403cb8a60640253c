#!/usr/bin/env node
// The command line. Each command is a file in `commands`; only the one asked for is loaded.
import { Command, CommanderError } from "commander";
import description from "../package.json" with { type: "json" };
import { sentence } from "./errors.ts";

const commands: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import("./commands/serve.ts")).serveCommand(),
  replay: async () => (await import("./commands/replay.ts")).replayCommand(),
  score: async () => (await import("./commands/score.ts")).scoreCommand(),
  backtest: async () => (await import("./commands/backtest.ts")).backtestCommand(),
  label: async () => (await import("./commands/label.ts")).labelCommand(),
  explain: async () => (await import("./commands/explain.ts")).explainCommand(),
  train: async () => (await import("./commands/train.ts")).trainCommand(),
  simulate: async () => (await import("./commands/simulate.ts")).simulateCommand(),
  import: async () => (await import("./commands/import.ts")).importCommand(),
  load: async () => (await import("./commands/load.ts")).loadCommand(),
  rescore: async () => (await import("./commands/rescore.ts")).rescoreCommand(),
  fsck: async () => (await import("./commands/fsck.ts")).fsckCommand(),
  watch: async () => (await import("./commands/watch.ts")).watchCommand(),
  report: async () => (await import("./commands/report.ts")).reportCommand(),
  token: async () => (await import("./commands/token.ts")).tokenCommand(),
};

const program = new Command("telltale")
  .description("Saves every reading it acknowledges, scores it, and raises alerts that say why.")
  .version(description.version)
  .showHelpAfterError("(--help shows what is possible)")
  .exitOverride();

const wanted = process.argv[2] ?? "";
const loaders = Object.hasOwn(commands, wanted) ? [commands[wanted]!] : Object.values(commands);
for (const load of loaders) program.addCommand((await load()).copyInheritedSettings(program));
for (const command of program.commands) for (const inner of command.commands) inner.copyInheritedSettings(program);

// A reader that has seen enough (`| head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

try {
  await program.parseAsync();
} catch (error) {
  // commander has already said what was wrong with the arguments
  if (error instanceof CommanderError) process.exitCode = error.exitCode;
  else {
    console.error(sentence(error));
    process.exitCode ||= 1; // an interrupted command has set its own
  }
}
