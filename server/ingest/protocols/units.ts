/** Units by the names that Prometheus' conventions give metrics, in the codes of UCUM, which OpenTelemetry uses too. */
const UNITS: Readonly<Record<string, string>> = {
  seconds: "s",
  milliseconds: "ms",
  microseconds: "us",
  nanoseconds: "ns",
  minutes: "min",
  hours: "h",
  days: "d",
  bytes: "By",
  kilobytes: "kBy",
  megabytes: "MBy",
  bits: "bit",
  meters: "m",
  metres: "m",
  grams: "g",
  kilograms: "kg",
  volts: "V",
  amperes: "A",
  joules: "J",
  watts: "W",
  ohms: "Ohm",
  celsius: "Cel",
  kelvin: "K",
  fahrenheit: "[degF]",
  hertz: "Hz",
  rpm: "{rpm}",
  pascals: "Pa",
  percent: "%",
};

/** Without a unit. */
export const NO_UNIT = "1";

/** What is said of a metric beside its unit: `http_request_duration_seconds_sum`, `process_cpu_seconds_total`. */
const ROLE = /_(total|sum)$/;

/** The unit that a metric's name ends with; "1" where it names none. */
export function unitOf(name: string): string {
  const base = name.replace(ROLE, "");
  const last = base.slice(Math.max(base.lastIndexOf("_"), base.lastIndexOf(".")) + 1);
  return Object.hasOwn(UNITS, last) ? UNITS[last]! : NO_UNIT;
}

/** Of a unit in words, such as OpenMetrics' "seconds": its code; anything else as it is. */
export function unitCode(unit: string): string {
  return Object.hasOwn(UNITS, unit) ? UNITS[unit]! : unit;
}
