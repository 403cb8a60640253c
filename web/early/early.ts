/** Runs before the first paint, and before the code of the console has come, so that a page in the dark does not flash. */
try {
  const theme = localStorage.getItem("telltale-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // A browser that keeps nothing follows the system's theme.
}
