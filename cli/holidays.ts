import { InvalidArgumentError } from "commander";
import { counted } from "../formats/counted.ts";
import { type Holidays, Weekday } from "../gen/es/telltale/v1/detector_pb.ts";
import { enumName, enumValue } from "../server/lib/enum-name.ts";

/** Parser of a list of days, for commander: "none", or dates with commas between them. */
export function datesOption(text: string): readonly string[] {
  if (text === "none") return [];
  const dates = text.split(",").map((date) => date.trim());
  if (dates.every((date) => /^\d{4}-\d{2}-\d{2}$/.test(date))) return dates;
  throw new InvalidArgumentError("Wanted none, or dates such as 2026-12-25,2027-01-01.");
}

/** Parser of a day of the week, for commander. */
export function weekdayOption(text: string): Weekday {
  const found = enumValue(Weekday, text);
  if (found !== undefined && found !== Weekday.UNSPECIFIED) return found;
  throw new InvalidArgumentError("Wanted a day of the week such as sunday.");
}

/** Holidays as one line. */
export function holidaysText({ dates, like }: Holidays): string {
  if (dates.length === 0) return "none";
  const span = dates.length === 1 ? dates[0] : `${dates[0]} to ${dates.at(-1)}`;
  return `${counted(dates.length, "day")} like ${like === 0 ? "sunday" : enumName(Weekday, like)}, ${span}`;
}
