/** What a person chooses for this browser: theme and time zone. */

export type Theme = "system" | "light" | "dark";

/** Asked for once: each question costs tens of microseconds, and each time that is shown asks. */
export const OWN_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

class Settings {
  theme = $state<Theme>(stored("telltale-theme", ["light", "dark"], "system"));
  /** What was chosen: "local" is the browser's own zone, "utc", or an IANA name, such as that of the plant. */
  chosenZone = $state(storedZone());
  /** Grows when the colours change: charts are drawn anew. */
  painted = $state(0);

  setTheme(theme: Theme): void {
    this.theme = theme;
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    keep("telltale-theme", theme === "system" ? undefined : theme);
    this.painted++;
  }

  setZone(zone: string): void {
    this.chosenZone = zone;
    keep("telltale-zone", zone);
    this.painted++;
  }

  /** IANA name of the zone that times are shown in. */
  get zone(): string {
    if (this.chosenZone === "utc") return "UTC";
    return this.chosenZone === "local" ? OWN_ZONE : this.chosenZone;
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

function storedZone(): string {
  try {
    const zone = localStorage.getItem("telltale-zone") ?? "local";
    return zone === "local" || zone === "utc" || isZone(zone) ? zone : "local";
  } catch {
    return "local"; // a browser that keeps nothing
  }
}

/** Whether the browser knows a zone of this name. */
export function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
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
