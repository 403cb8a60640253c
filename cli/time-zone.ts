import { InvalidArgumentError } from "commander";
import { isTimeZone } from "../server/lib/time-zone.ts";

/** Parser of a time zone, for commander. */
export function timeZoneOption(text: string): string {
  if (isTimeZone(text)) return text;
  throw new InvalidArgumentError('There is no such time zone. Wanted a name such as "Europe/Berlin".');
}
