/**
 * Runs before the first paint, and before the code of the console has come: what that will ask for first is on its way by then. The build adds
 * the names of files.
 */
import { pageOf } from "../app/routes.ts";
import { type Early, earlyKey } from "./answers.ts";
import { caller, callsOf } from "./calls.ts";

/** Files of each page beside those of all, by the name of its component. */
declare const FILES_OF_PAGES: Readonly<Record<string, readonly string[]>>;

const HOME = "/ui/";

// So that a page in the dark does not flash.
try {
  const theme = localStorage.getItem("telltale-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // A browser that keeps nothing follows the system's theme.
}

const page = pageOf(location.pathname.slice(HOME.length - 1));
const early: Early = { nowMs: Date.now(), answers: new Map() };
const where = { query: new URLSearchParams(location.search), nowMs: early.nowMs, width: innerWidth };
for (const { method, body } of [caller(), ...callsOf(page, where)]) {
  const path = `/telltale.v1.${method}`;
  // A unary call by Connect.
  const headers = { "content-type": "application/proto", "connect-protocol-version": "1" };
  const answer = fetch(path, { method: "POST", headers, body });
  early.answers.set(earlyKey(path, body), answer);
  // Whoever takes it says so.
  answer.catch(() => {});
}
globalThis.telltaleEarly = early;

for (const file of FILES_OF_PAGES[componentOf(page.name)] ?? []) {
  const link = document.createElement("link");
  link.href = HOME + file;
  if (file.endsWith(".css")) {
    link.rel = "preload";
    link.as = "style";
    // As the stylesheet is asked for later: else it would be loaded twice.
    link.crossOrigin = "";
  } else link.rel = "modulepreload";
  document.head.append(link);
}

/** "new-silence" is shown by NewSilence.svelte. */
function componentOf(page: string): string {
  return page
    .split("-")
    .map((word) => word[0]!.toUpperCase() + word.slice(1))
    .join("");
}
