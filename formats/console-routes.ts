/** Which page a path is. */

export type Page =
  | {
      readonly name:
        | "overview"
        | "alerts"
        | "sensors"
        | "incidents"
        | "silences"
        | "new-silence"
        | "maintenance"
        | "new-maintenance"
        | "notifications"
        | "administration"
        | "start"
        | "import"
        | "compare"
        | "reports"
        | "design"
        | "not-found";
    }
  | { readonly name: "alert" | "incident"; readonly id: bigint }
  | { readonly name: "sensor"; readonly id: string };

const PLAIN = {
  "/": "overview",
  "/alerts": "alerts",
  "/sensors": "sensors",
  "/incidents": "incidents",
  "/silences": "silences",
  "/silences/new": "new-silence",
  "/maintenance": "maintenance",
  "/maintenance/new": "new-maintenance",
  "/notifications": "notifications",
  "/administration": "administration",
  "/start": "start",
  "/import": "import",
  "/compare": "compare",
  "/reports": "reports",
  "/design": "design",
} as const;

const NOT_FOUND: Page = { name: "not-found" };

/** @param path below /ui */
export function pageOf(path: string): Page {
  if (Object.hasOwn(PLAIN, path)) return { name: PLAIN[path as keyof typeof PLAIN] };
  const [, numbered, digits = ""] = /^\/(alert|incident)s\/(\d{1,16})$/.exec(path) ?? [];
  if (numbered !== undefined) return { name: numbered as "alert" | "incident", id: BigInt(digits) };
  const [, sensor] = /^\/sensors\/(.+)$/.exec(path) ?? [];
  const id = sensor === undefined ? undefined : decoded(sensor);
  return id === undefined ? NOT_FOUND : { name: "sensor", id };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

export function sensorPath(id: string): string {
  return `/sensors/${encodeURIComponent(id)}`;
}
