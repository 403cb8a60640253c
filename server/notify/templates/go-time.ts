/** Times as Go's layouts show them. */
import { localMs } from "../wall-time.ts";

interface Moment {
  readonly ms: number;
  readonly micros: number;
  readonly zone: string;
}

/** As Go prints a time. */
export const STRING_LAYOUT = "2006-01-02 15:04:05.999999999 -0700 MST";
export const RFC3339 = "2006-01-02T15:04:05.999999999Z07:00";

const MONTHS = [
  ...["January", "February", "March", "April", "May", "June", "July"],
  ...["August", "September", "October", "November", "December"],
];
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
/** The longer ones first. */
const ELEMENT =
  /January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|__2|_2(?!006)|002|-07:00:00|-070000|-07:00|-0700|-07|Z07:00:00|Z070000|Z07:00|Z0700|Z07|[.,](?:0+|9+)(?!\d)|01|02|03|04|05|06|15|PM|pm|1|2|3|4|5/g;

/** By Go's layout: the text of a reference time. */
export function formatTime(moment: Moment, layout: string): string {
  const { ms, micros, zone } = moment;
  const aheadMs = zone === "UTC" ? 0 : localMs(ms * 1_000, zone) - ms;
  const local = new Date(ms + aheadMs);
  const two = (value: number) => String(value).padStart(2, "0");
  const [year, month, day] = [local.getUTCFullYear(), local.getUTCMonth(), local.getUTCDate()];
  const hour = local.getUTCHours();
  const twelve = hour % 12 === 0 ? 12 : hour % 12;
  const yearDay = Math.floor((Date.UTC(2000, month, day) - Date.UTC(2000, 0, 1)) / 86_400_000) + 1;
  const leapDay = month > 1 && new Date(Date.UTC(year, 2, 0)).getUTCDate() === 28 ? 1 : 0;
  const known: Readonly<Record<string, () => string>> = {
    ...{ January: () => MONTHS[month]!, Jan: () => MONTHS[month]!.slice(0, 3), 1: () => String(month + 1) },
    ...{ "01": () => two(month + 1), 2: () => String(day), "02": () => two(day), _2: () => String(day).padStart(2) },
    ...{ "002": () => String(yearDay - leapDay).padStart(3, "0"), __2: () => String(yearDay - leapDay).padStart(3) },
    ...{ Monday: () => DAYS[local.getUTCDay()]!, Mon: () => DAYS[local.getUTCDay()]!.slice(0, 3) },
    ...{ 2006: () => String(year).padStart(4, "0"), "06": () => two(year % 100) },
    ...{ 15: () => two(hour), 3: () => String(twelve), "03": () => two(twelve) },
    ...{ PM: () => (hour < 12 ? "AM" : "PM"), pm: () => (hour < 12 ? "am" : "pm") },
    ...{ 4: () => String(local.getUTCMinutes()), "04": () => two(local.getUTCMinutes()) },
    ...{ 5: () => String(local.getUTCSeconds()), "05": () => two(local.getUTCSeconds()) },
    MST: () => zoneName(moment, aheadMs),
  };
  return layout.replace(ELEMENT, (element) => {
    if (/^[.,]/.test(element)) return fraction(element, (((ms % 1_000) + 1_000) % 1_000) * 1_000 + micros);
    if (/^[Z-]/.test(element)) return offset(element, aheadMs);
    return known[element]!();
  });
}

/** `.000` to so many digits, `.999` without zeros at the end. */
function fraction(element: string, micros: number): string {
  const digits = String(micros)
    .padStart(6, "0")
    .padEnd(9, "0")
    .slice(0, element.length - 1);
  if (element[1] === "0") return element[0] + digits;
  const kept = digits.replace(/0+$/, "");
  return kept === "" ? "" : element[0] + kept;
}

function offset(element: string, aheadMs: number): string {
  if (element.startsWith("Z") && aheadMs === 0) return "Z";
  const seconds = Math.abs(aheadMs) / 1_000;
  const parts = [seconds / 3_600, (seconds / 60) % 60, seconds % 60].map((part) =>
    String(Math.floor(part)).padStart(2, "0"),
  );
  const digits = element.replace(/\D/g, "").length / 2;
  return (aheadMs < 0 ? "-" : "+") + parts.slice(0, digits).join(element.includes(":") ? ":" : "");
}

/** What a zone is called is up to the language: that of the region where it is used. */
function zoneName({ ms, zone }: Moment, aheadMs: number): string {
  if (zone === "UTC") return "UTC";
  for (const locale of ["en-US", "en-GB", "en-AU"]) {
    const parts = new Intl.DateTimeFormat(locale, { timeZone: zone, timeZoneName: "short" }).formatToParts(ms);
    const name = parts.find(({ type }) => type === "timeZoneName")?.value ?? "";
    if (/^[A-Z]+$/.test(name)) return name;
  }
  return offset(aheadMs % 3_600_000 === 0 ? "-07" : "-0700", aheadMs);
}
