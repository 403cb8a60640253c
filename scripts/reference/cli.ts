import type { Command, Option } from "commander";
import { loadProgram } from "../../cli/program.ts";
import { code, page, paragraph, sentence, table } from "./markdown.ts";

export async function cliPage(): Promise<string> {
  const program = await loadProgram();
  const intro = paragraph(
    `\`npm run -s telltale -- COMMAND\` in the project's folder, or \`telltale COMMAND\` where the package is installed. Every command
    answers \`--help\`. A command ends with 0 where it did what it was asked for, with 1 where it failed, and with 130 after
    Ctrl-C; what was wrong is said on the error stream.`,
  );
  return page("Command line", "the commands' own help", intro, ...program.commands.flatMap((c) => section(c, "")));
}

function section(command: Command, parent: string): string[] {
  const name = `${parent}${command.name()}`;
  const aliases = command.aliases().map(code);
  const usage = `telltale ${name} ${command.usage()}`.trim();
  return [
    `## ${name}`,
    paragraph(sentence(command.description()) + (aliases.length > 0 ? ` Also: ${aliases.join(", ")}.` : "")),
    `\`\`\`\n${usage}\n\`\`\``,
    ...argumentTable(command),
    ...optionTable(command.options.filter((o) => !o.hidden)),
    ...command.commands.flatMap((inner) => section(inner, `${name} `)),
  ];
}

function argumentTable({ registeredArguments: given }: Command): string[] {
  if (given.length === 0) return [];
  const rows = given.map((a) => [code(a.name()), sentence(a.description + choices(a.argChoices))]);
  return [table(["Argument", "Meaning"], rows)];
}

function optionTable(options: readonly Option[]): string[] {
  if (options.length === 0) return [];
  const rows = options.map((o) => [code(o.flags), defaultOf(o), sentence(o.description + choices(o.argChoices))]);
  return [table(["Option", "Default", "Meaning"], rows)];
}

function choices(given: readonly string[] | undefined): string {
  return given === undefined ? "" : ` (${given.join(", ")})`;
}

function defaultOf({ defaultValue, defaultValueDescription }: Option): string {
  if (defaultValueDescription !== undefined) return defaultValueDescription;
  if (defaultValue === undefined || defaultValue === false || defaultValue === "") return "";
  return code(typeof defaultValue === "string" ? defaultValue : JSON.stringify(defaultValue));
}
