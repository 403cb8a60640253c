/** What a person chooses for this browser: theme and time zone. */

export type Theme = "system" | "light" | "dark";

/** Asked for once: each question costs tens of microseconds, and each time that is shown asks. */
const OWN_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

class Settings {
  theme = $state<Theme>(stored("telltale-theme", ["light", "dark"], "system"));
  utc = $state(stored("telltale-zone", ["utc", "local"], "local") === "utc");
  /** Grows when the colours change: charts are drawn anew. */
  painted = $state(0);

  setTheme(theme: Theme): void {
    this.theme = theme;
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    keep("telltale-theme", theme === "system" ? undefined : theme);
    this.painted++;
  }

  setUtc(utc: boolean): void {
    this.utc = utc;
    keep("telltale-zone", utc ? "utc" : "local");
  }

  /** IANA name of the zone that times are shown in. */
  get zone(): string {
    return this.utc ? "UTC" : OWN_ZONE;
  }

  /** Follows the system's theme. Answers with a function that ends it. */
  start(): () => void {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const repaint = () => this.painted++;
    dark.addEventListener("change", repaint);
    return () => dark.removeEventListener("change", repaint);
  }
}

export const settings = new Settings();

function stored<T extends string>(name: string, known: readonly T[], fallback: T | "system"): T | "system" {
  try {
    const value = localStorage.getItem(name) as T | null;
    return value !== null && known.includes(value) ? value : fallback;
  } catch {
    return fallback; // a browser that keeps nothing
  }
}

function keep(name: string, value: string | undefined): void {
  try {
    if (value === undefined) localStorage.removeItem(name);
    else localStorage.setItem(name, value);
  } catch {
    // A browser that keeps nothing: the choice holds for this page.
  }
}
