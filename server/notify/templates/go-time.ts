/** Times as Go's layouts show them. */
import { Failure } from "./failure.ts";

interface Moment {
  readonly ms: number;
  readonly micros: number;
  readonly zone: string;
  /** What the zone's clocks show. */
  readonly localMs: number;
}

/** People write some thirty. */
const MAX_LAYOUT_CHARACTERS = 500;

/** As Go prints a time. */
export const STRING_LAYOUT = "2006-01-02 15:04:05.999999999 -0700 MST";
export const RFC3339 = "2006-01-02T15:04:05.999999999Z07:00";

export const MONTHS: readonly string[] = [
  ...["January", "February", "March", "April", "May", "June", "July"],
  ...["August", "September", "October", "November", "December"],
];
export const WEEKDAYS: readonly string[] = [
  "Sunday",
  "Monday",
  "Tuesday",
  "Wednesday",
  "Thursday",
  "Friday",
  "Saturday",
];
/** The longer ones first. */
export const ELEMENT: RegExp =
  /January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|__2|_2(?!006)|002|-07:00:00|-070000|-07:00|-0700|-07|Z07:00:00|Z070000|Z07:00|Z0700|Z07|[.,](?:0+|9+)(?!\d)|01|02|03|04|05|06|15|PM|pm|1|2|3|4|5/g;

/** By Go's layout: the text of a reference time. */
export function formatTime(moment: Moment, layout: string): string {
  if (layout.length > MAX_LAYOUT_CHARACTERS)
    throw new Failure(`has a layout of ${layout.length} characters: at most ${MAX_LAYOUT_CHARACTERS} are taken.`);
  const { ms, micros } = moment;
  const aheadMs = moment.localMs - ms;
  const local = new Date(moment.localMs);
  const two = (value: number) => String(value).padStart(2, "0");
  const [year, month, day] = [local.getUTCFullYear(), local.getUTCMonth(), local.getUTCDate()];
  const hour = local.getUTCHours();
  const twelve = hour % 12 === 0 ? 12 : hour % 12;
  const yearDay = String(yearDayOf(local));
  const known: Readonly<Record<string, () => string>> = {
    ...{ January: () => MONTHS[month]!, Jan: () => MONTHS[month]!.slice(0, 3), 1: () => String(month + 1) },
    ...{ "01": () => two(month + 1), 2: () => String(day), "02": () => two(day), _2: () => String(day).padStart(2) },
    ...{ "002": () => yearDay.padStart(3, "0"), __2: () => yearDay.padStart(3) },
    ...{ Monday: () => WEEKDAYS[local.getUTCDay()]!, Mon: () => WEEKDAYS[local.getUTCDay()]!.slice(0, 3) },
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

/** From 1. */
export function yearDayOf(local: Date): number {
  const [year, month, day] = [local.getUTCFullYear(), local.getUTCMonth(), local.getUTCDate()];
  const isLeap = new Date(Date.UTC(year, 2, 0)).getUTCDate() === 29;
  const ofLeapYear = Math.floor((Date.UTC(2000, month, day) - Date.UTC(2000, 0, 1)) / 86_400_000) + 1;
  return month > 1 && !isLeap ? ofLeapYear - 1 : ofLeapYear;
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

/** Of zones that no language in LOCALES has a name for: those that Go shows, from the time zone database. */
const NAMES: Readonly<Record<string, string>> = {
  ...{
    "Asia/Kolkata": "IST",
    "Asia/Calcutta": "IST",
    "Asia/Shanghai": "CST",
    "Asia/Taipei": "CST",
    "Asia/Macau": "CST",
  },
  ...{ "Asia/Tokyo": "JST", "Asia/Seoul": "KST", "Asia/Hong_Kong": "HKT", "Asia/Karachi": "PKT", "Asia/Manila": "PST" },
  ...{ "Asia/Jakarta": "WIB", "Asia/Makassar": "WITA", "Asia/Jayapura": "WIT", "Europe/Moscow": "MSK" },
  ...{ "Africa/Johannesburg": "SAST", "Africa/Lagos": "WAT", "Africa/Nairobi": "EAT", "Africa/Maputo": "CAT" },
};
const LOCALES = ["en-US", "en-GB", "en-AU", "en-NZ"];

/** What a zone is called is up to the language: that of the region where it is used. */
function zoneName({ ms, zone }: Moment, aheadMs: number): string {
  if (zone === "UTC") return "UTC";
  if (Object.hasOwn(NAMES, zone)) return NAMES[zone]!;
  for (const locale of LOCALES) {
    const parts = new Intl.DateTimeFormat(locale, { timeZone: zone, timeZoneName: "short" }).formatToParts(ms);
    const name = parts.find(({ type }) => type === "timeZoneName")?.value ?? "";
    if (/^[A-Z]+$/.test(name)) return name;
  }
  return offset(aheadMs % 3_600_000 === 0 ? "-07" : "-0700", aheadMs);
}
