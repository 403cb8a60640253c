/** The program of the command line: each command is a file in `commands`, loaded when it is asked for. */
import { Command } from "commander";
import description from "../package.json" with { type: "json" };

const commands: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import("./commands/serve.ts")).serveCommand(),
  send: async () => (await import("./commands/send.ts")).sendCommand(),
  collect: async () => (await import("./commands/collect.ts")).collectCommand(),
  score: async () => (await import("./commands/score.ts")).scoreCommand(),
  backtest: async () => (await import("./commands/backtest.ts")).backtestCommand(),
  label: async () => (await import("./commands/label.ts")).labelCommand(),
  config: async () => (await import("./commands/config.ts")).configCommand(),
  explain: async () => (await import("./commands/explain.ts")).explainCommand(),
  forecast: async () => (await import("./commands/forecast.ts")).forecastCommand(),
  train: async () => (await import("./commands/train.ts")).trainCommand(),
  simulate: async () => (await import("./commands/simulate.ts")).simulateCommand(),
  import: async () => (await import("./commands/import.ts")).importCommand(),
  load: async () => (await import("./commands/load.ts")).loadCommand(),
  rescore: async () => (await import("./commands/rescore.ts")).rescoreCommand(),
  fsck: async () => (await import("./commands/fsck.ts")).fsckCommand(),
  watch: async () => (await import("./commands/watch.ts")).watchCommand(),
  incident: async () => (await import("./commands/incident.ts")).incidentCommand(),
  report: async () => (await import("./commands/report.ts")).reportCommand(),
  quarantine: async () => (await import("./commands/quarantine.ts")).quarantineCommand(),
  sensor: async () => (await import("./commands/sensor.ts")).sensorCommand(),
  notify: async () => (await import("./commands/notify.ts")).notifyCommand(),
  oncall: async () => (await import("./commands/oncall.ts")).onCallCommand(),
  silence: async () => (await import("./commands/silence.ts")).silenceCommand(),
  token: async () => (await import("./commands/token.ts")).tokenCommand(),
  session: async () => (await import("./commands/session.ts")).sessionCommand(),
};

/** Former names. */
const aliases: Readonly<Record<string, string>> = { replay: "send" };

/** The program with the one command that is asked for, or with all of them where there is no such command. */
export async function loadProgram(given = ""): Promise<Command> {
  const program = new Command("telltale")
    .description("Saves every reading it acknowledges, scores it, and raises alerts that say why.")
    .version(description.version)
    .showHelpAfterError("(--help lists the options)")
    .exitOverride();
  const wanted = Object.hasOwn(aliases, given) ? aliases[given]! : given;
  const loaders = Object.hasOwn(commands, wanted) ? [commands[wanted]!] : Object.values(commands);
  for (const load of loaders) program.addCommand(await load());
  inheritSettings(program);
  return program;
}

function inheritSettings(command: Command): void {
  for (const inner of command.commands) {
    inner.copyInheritedSettings(command);
    inheritSettings(inner);
  }
}
