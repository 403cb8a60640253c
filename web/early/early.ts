/** Runs before the first paint, and before the code of the console has come. The build adds the names of files. */
import { pageOf } from "../app/routes.ts";

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

// The page's own files, while those of all pages are on their way.
const { name } = pageOf(location.pathname.slice(HOME.length - 1));
for (const file of FILES_OF_PAGES[componentOf(name)] ?? []) {
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
