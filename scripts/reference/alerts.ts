import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { code, page, paragraph, sentence, table } from "./markdown.ts";

const FILE = "deploy/alerts/telltale.rules.yml";

interface Rule {
  readonly alert?: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** What pages or informs the people who run the platform. */
export function alertsPage(): string {
  const { groups } = parse(readFileSync(FILE, "utf8")) as { groups: { rules: Rule[] }[] };
  const rules = groups.flatMap((g) => g.rules).filter((r) => r.alert !== undefined);
  const rows = rules.map((r) => [
    code(r.alert!),
    r.labels?.severity ?? "",
    r.for ?? "at once",
    sentence(r.annotations?.summary ?? r.annotations?.description ?? ""),
  ]);
  const intro = paragraph(
    `These are the alert rules about the platform itself, for Prometheus (\`${FILE}\`); \`deploy/alerts/telltale.test.yml\` holds them to
    examples. What to do about each stands in the operations guide.`,
  );
  return page(
    "Alert rules of the platform",
    code(FILE),
    intro,
    table(["Alert", "Severity", "Holds for", "Meaning"], rows),
  );
}
