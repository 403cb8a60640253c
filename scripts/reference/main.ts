/**
 * Writes docs/reference from the code, so that it cannot say anything else. With `--check` nothing is written: pages that differ are
 * named, and the exit code is 1.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { alertsPage } from "./alerts.ts";
import { apiPage } from "./api.ts";
import { cliPage } from "./cli.ts";
import { configurationPage } from "./configuration.ts";
import { errorsPage } from "./errors.ts";
import { limitsPage } from "./limits.ts";
import { metricsPage } from "./metrics.ts";
import { sqlPage } from "./sql.ts";

const FOLDER = "docs/reference";
process.chdir(join(import.meta.dirname, "../.."));

const pages: Readonly<Record<string, () => string | Promise<string>>> = {
  "alerts.md": alertsPage,
  "api.md": apiPage,
  "cli.md": cliPage,
  "configuration.md": configurationPage,
  "errors.md": errorsPage,
  "limits.md": limitsPage,
  "metrics.md": metricsPage,
  "sql.md": sqlPage,
};

const check = process.argv.includes("--check");
mkdirSync(FOLDER, { recursive: true });
for (const [name, make] of Object.entries(pages)) {
  const file = join(FOLDER, name);
  const text = await make();
  if (existsSync(file) && readFileSync(file, "utf8") === text) continue;
  if (check) {
    console.error(`differs: ${file}`);
    process.exitCode = 1;
  } else writeFileSync(file, text);
}
