// Known vulnerabilities of the locked dependencies, asked of the registry by `npm audit`. Fails on each that is not in
// audit-allowed.json with a reason, and on entries of that list that have run out or allow nothing any more.
//   --require   a registry that does not answer such questions is a failure too, not a notice
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./install.mjs";

/** The answer names every dependency with a finding: tens of MB on a bad day. */
const maxOutputBytes = 256 * 1024 * 1024;
const timeoutMs = 120_000;
/** What a registry answers that has packages and no advisories. Anything else that is no report is a failure. */
const refusals = [400, 403, 404, 405, 501];

const allowed = JSON.parse(
  readFileSync(process.env.TELLTALE_AUDIT_ALLOWED ?? join(root, "scripts/audit-allowed.json"), "utf8"),
);
const { stdout, error } = spawnSync("npm", ["audit", "--json", "--package-lock-only"], {
  cwd: root,
  encoding: "utf8",
  maxBuffer: maxOutputBytes,
  timeout: timeoutMs,
  shell: process.platform === "win32",
});
if (error) {
  const absent = error.code === "ENOENT";
  console.error(absent ? "npm is not installed or not on PATH: it asks the registry." : `npm audit: ${error.message}`);
  process.exit(1);
}
const report = JSON.parse(stdout);

if (report.vulnerabilities === undefined) process.exitCode = refused(report);
else process.exitCode = judged(findings(report.vulnerabilities));

function refused({ message, statusCode, error: told }) {
  const why = message ?? told?.summary ?? "no report and no reason";
  const known = refusals.includes(statusCode) && !process.argv.includes("--require");
  console.log(
    `${known ? "NOTICE" : "FAILED"} dependencies were not audited: the registry answered ${JSON.stringify(why)}`,
  );
  return known ? 0 : 1;
}

/** Each advisory once, with the packages that it is about. */
function findings(vulnerabilities) {
  const found = new Map();
  for (const { via } of Object.values(vulnerabilities)) {
    for (const each of via) {
      if (typeof each === "string") continue; // another package of the list brings it along
      const id = each.url?.split("/").pop() ?? String(each.source);
      found.set(`${id} ${each.name}`, {
        id,
        name: each.name,
        severity: each.severity,
        title: each.title,
        range: each.range,
      });
    }
  }
  return [...found.values()];
}

function judged(found) {
  const today = new Date().toISOString().slice(0, 10);
  const covers = (entry, { id, name }) => entry.id === id && entry.package === name;
  let failed = 0;
  for (const each of found) {
    const entry = allowed.find((one) => covers(one, each));
    const ok = entry !== undefined && entry.until >= today;
    if (!ok) failed++;
    const reason = entry === undefined ? "not in scripts/audit-allowed.json" : `${entry.reason} (until ${entry.until})`;
    console.log(
      `${ok ? "allowed" : "FAILED "} ${each.severity} ${each.id} ${each.name} ${each.range}: ${each.title} — ${reason}`,
    );
  }
  for (const entry of allowed.filter((one) => !found.some((each) => covers(one, each)))) {
    failed++;
    console.log(`FAILED  ${entry.id} ${entry.package} is allowed and not found any more: take it off the list`);
  }
  console.log(`Known vulnerabilities: ${found.length} found, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}
