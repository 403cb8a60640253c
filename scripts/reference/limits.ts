import { readFileSync } from "node:fs";
import { code, page, paragraph, sentence, table } from "./markdown.ts";

/** Files whose constants and defaults are limits that a user meets, with the heading of each. */
const FILES: readonly (readonly [file: string, heading: string])[] = [
  ["server/ingest/limits.ts", "Readings and batches"],
  ["formats/time.ts", "Times"],
  ["server/ingest/protocols/bulk/limits.ts", "Uploads of Parquet and Arrow"],
  ["formats/columnar/limits.ts", "Files of Parquet and Arrow"],
  ["server/api/limits.ts", "Connections and messages of the gRPC port"],
  ["server/store/chart/limits.ts", "Charts"],
  ["server/promql/limits.ts", "PromQL"],
  ["server/incidents/limits.ts", "Incidents"],
  ["gateway/graphql/limits.ts", "GraphQL operations"],
  ["gateway/http.ts", "HTTP requests"],
  ["server/notify/config/limits.ts", "Notification files"],
  ["server/notify/templates/limits.ts", "Templates of notifications"],
  ["server/notify/channels/limits.ts", "Messages of notifications"],
  ["server/notify/received/limits.ts", "Alerts of other programs"],
  ["server/notify/heartbeats/limits.ts", "Signs of life"],
  ["server/notify/links/limits.ts", "Links in messages"],
  ["server/notify/push/limits.ts", "Browsers that are notified of alerts"],
];

export function limitsPage(): string {
  const intro = paragraph(
    `Every queue, batch and message has a bound. These are the ones that a client can meet; past them a call is refused with
    \`RESOURCE_EXHAUSTED\` or \`INVALID_ARGUMENT\` and a message that names the limit, unless it says here what happens instead. Limits that an operator sets for each caller
    (\`LIMIT_*\`) are in [Configuration](configuration.md).`,
  );
  const parts = FILES.flatMap(([file, heading]) => [`## ${heading}`, table(["Limit", "Value", "Why"], rowsOf(file))]);
  return page("Limits", "the constants in the code", intro, ...parts);
}

/** Constants with a comment before them, and the entries of an object of defaults with theirs. */
function rowsOf(file: string): string[][] {
  const text = readFileSync(file, "utf8");
  const constants = [
    ...text.matchAll(/\/\*\* ((?:(?!\*\/)[\s\S])*?) \*\/\nexport const ([A-Z][A-Z0-9_]*)(?:: number)? = ([^;]+);/g),
  ]
    .filter(([, , , value]) => isNumber(value!))
    .map(([, comment, name, value]) => [code(name!), number(value!), sentence(plain(comment!))]);
  const defaults = /Limits = \{\n([\s\S]*?)\n\};/.exec(text)?.[1] ?? "";
  const meanings = new Map(
    [...text.matchAll(/\/\*\* ([^\n]*) \*\/\n((?: {2}readonly \w+: number;\n)+)/g)].flatMap(([, comment, names]) =>
      [...names!.matchAll(/readonly (\w+)/g)].map(([, name]) => [name!, comment!]),
    ),
  );
  let why = "";
  const entries = defaults.split("\n").flatMap((line) => {
    const comment = /^ {2}\/\/ (.*)$/.exec(line);
    if (comment !== null) {
      why = comment[1]!;
      return [];
    }
    const entry = /^ {2}(\w+): ([^,]+(?:,\d{3})*),$/.exec(line.replaceAll("_", ""));
    if (entry === null) return [];
    const [, name, value] = entry;
    const text = [meanings.get(name!) ?? "", why]
      .filter((each) => each !== "")
      .map(sentence)
      .join(" ");
    why = "";
    return [[code(name!), number(value!), text]];
  });
  return [...constants, ...entries];
}

function plain(comment: string): string {
  return comment.replace(/\n\s*\* ?/g, " ");
}

function isNumber(expression: string): boolean {
  return /^[\d._e+* ]+$/.test(expression);
}

/** The value of a product or a number, grouped by thousands. */
function number(expression: string): string {
  const value = expression
    .replaceAll("_", "")
    .split("*")
    .reduce((product, factor) => product * Number(factor), 1);
  return value.toLocaleString("en-US");
}
