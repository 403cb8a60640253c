import { readFileSync } from "node:fs";
import { code, ended, page, paragraph, sentence, table } from "./markdown.ts";

const FILE = ".env.example";

/** The variables, from the file that a test holds to what the platform reads and to the defaults that it has. */
export function configurationPage(): string {
  const sections: string[] = [];
  let rows: string[][] = [];
  let title = "";
  let comment: string[] = [];
  const close = () => {
    if (rows.length > 0) sections.push(`## ${title}`, table(["Variable", "Default", "Meaning"], rows));
    rows = [];
  };
  for (const line of readFileSync(FILE, "utf8").split("\n")) {
    const heading = /^# --- (.*)$/.exec(line);
    const variable = /^(#?)([A-Z][A-Z0-9_]*)=(.*)$/.exec(line);
    if (heading !== null) {
      close();
      const [, name, note] = /^(.*?)(?:[:,] (.*))?$/.exec(heading[1]!)!;
      title = name!;
      comment = note === undefined ? [] : [sentence(note)];
    } else if (variable !== null) {
      const [, off, name, value] = variable;
      const unset = off === "#" ? (value === "" ? "unset" : `unset; for example ${code(value!)}`) : code(value!);
      rows.push([code(name!), unset, ended(comment.join(" "))]);
      comment = [];
    } else if (line.startsWith("# ")) comment.push(line.slice(2));
    else if (line.trim() === "") comment = [];
  }
  close();
  const intro = paragraph(
    `The platform reads these environment variables once, at its start. Nothing has to be set. A value that is out of range
    stops the start with a sentence that names the variable, what it got and what it wants. An empty variable counts as unset.`,
  );
  return page("Configuration", "`.env.example`", intro, ...sections);
}
