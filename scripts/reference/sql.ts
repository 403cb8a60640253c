import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { page, paragraph } from "./markdown.ts";

const FOLDER = "server/postgres/migrations";

/** Functions that people may call: those whose comment in the migrations begins with "-- Public: ". */
export function sqlPage(): string {
  const found = readdirSync(FOLDER)
    .sort()
    .flatMap((file) => [
      ...readFileSync(join(FOLDER, file), "utf8").matchAll(
        /((?:^-- .*\n)+)create (?:or replace )?function (\w+)([\s\S]*?)\nlanguage/gm,
      ),
    ])
    .filter(([, , name]) => PUBLIC.has(name!));
  // A later migration may replace a function: the last one counts.
  const last = new Map(found.map(([, comment, name, rest]) => [name!, { comment: comment!, rest: rest! }]));
  const parts = [...last].flatMap(([name, { comment, rest }]) => [
    `## ${name}`,
    paragraph(comment.replace(/^-- /gm, "")),
    `\`\`\`sql\n${name}${rest}\n\`\`\``,
  ]);
  const missing = [...PUBLIC].filter((name) => !last.has(name));
  if (missing.length > 0) throw new Error(`no commented function ${missing.join(", ")} in ${FOLDER}`);
  const intro = paragraph(
    `The readings are stored in packed blocks, which SQL cannot read by itself. These functions of the platform's database unpack them, for
    reports and exports by any PostgreSQL client. Tables and other functions are the platform's own and may change with a version.`,
  );
  return page("SQL functions", "the migrations", intro, ...parts);
}

const PUBLIC: ReadonlySet<string> = new Set(["readings"]);
