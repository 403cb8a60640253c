/** Go's `printf` for the verbs that texts of notifications use. */
import { Float } from "./nodes.ts";
import { TemplateProblem } from "./problem.ts";
import { Duration, exponential, Failure, floatText, printed, Safe, typeName, type Value } from "./values.ts";

const VERB = /%([-+ 0#]*)(\d{0,4})(?:\.(\d{0,3}))?(.?)/gsu;
const VERBS = "svqdtfeEgxXc%";

/** @throws TemplateProblem where a format that is written out has another verb */
export function checkFormat(format: unknown, at: number): void {
  if (typeof format !== "string") throw new TemplateProblem(at, "printf has no format in quotes.");
  for (const [whole, , , , verb] of format.matchAll(VERB)) {
    if (verb === "" || !VERBS.includes(verb!))
      throw new TemplateProblem(at, `printf has ${JSON.stringify(whole)}: verbs are %${[...VERBS].join(" %")}.`);
  }
}

export function printf(format: string, args: readonly Value[]): string {
  let next = 0;
  const text = format.replace(
    VERB,
    (whole, flags: string, width: string, precision: string | undefined, verb: string) => {
      if (verb === "%") return "%";
      if (verb === "" || !VERBS.includes(verb))
        throw new Failure(`printf has ${JSON.stringify(whole)}, which is no verb that is taken.`);
      if (next >= args.length) return `%!${verb}(MISSING)`;
      const made = verbText(verb, args[next++], {
        flags,
        precision: precision === undefined ? undefined : Number(precision),
      });
      const missing = Number(width || 0) - [...made].length;
      if (missing <= 0) return made;
      if (flags.includes("-")) return made + " ".repeat(missing);
      if (!flags.includes("0") || "svqt".includes(verb)) return " ".repeat(missing) + made;
      const sign = /^[+-]/.exec(made)?.[0] ?? "";
      return sign + "0".repeat(missing) + made.slice(sign.length);
    },
  );
  const extra = args.slice(next).map((arg) => `${goType(arg)}=${printed(arg)}`);
  return extra.length === 0 ? text : `${text}%!(EXTRA ${extra.join(", ")})`;
}

interface Shape {
  readonly flags: string;
  readonly precision: number | undefined;
}

function verbText(verb: string, value: Value, { flags, precision }: Shape): string {
  switch (verb) {
    case "v":
      return value === undefined ? "<nil>" : printed(value);
    case "t":
      return typeof value === "boolean" ? String(value) : wrong(verb, value);
    case "s":
    case "q":
    case "x":
    case "X":
      return textVerb(verb, value, precision);
    case "d":
      return signed(whole(verb, value).toFixed(0), flags);
    case "c":
      return String.fromCodePoint(Math.max(0, Math.min(whole(verb, value), 0x10ffff)));
    default:
      if (!(value instanceof Float)) return wrong(verb, value);
      return signed(floatVerb(verb, value.value, precision), flags);
  }
}

function textVerb(verb: string, value: Value, precision: number | undefined): string {
  if (verb === "s" || verb === "q") {
    if (typeof value === "number" || typeof value === "boolean" || value instanceof Float) return wrong(verb, value);
    const text = value === undefined ? "%!s(<nil>)" : printed(value);
    const cut = precision === undefined ? text : [...text].slice(0, precision).join("");
    return verb === "q" ? JSON.stringify(cut) : cut;
  }
  const isText = typeof value === "string" || value instanceof Safe;
  const hex = isText ? Buffer.from(printed(value)).toString("hex") : whole(verb, value).toString(16);
  return verb === "X" ? hex.toUpperCase() : hex;
}

function whole(verb: string, value: Value): number {
  if (value instanceof Duration) return Math.round(value.seconds * 1e9);
  if (typeof value === "number") return value;
  throw new Failure(`printf wants a whole number for %${verb}, and gets ${typeName(value)}.`);
}

function wrong(verb: string, value: Value): string {
  return `%!${verb}(${value === undefined ? "<nil>" : `${goType(value)}=${printed(value)}`})`;
}

function goType(value: Value): string {
  if (typeof value === "number") return "int";
  if (value instanceof Float) return "float64";
  return typeof value === "boolean" ? "bool" : "string";
}

function signed(text: string, flags: string): string {
  if (text.startsWith("-")) return text;
  return flags.includes("+") ? `+${text}` : flags.includes(" ") ? ` ${text}` : text;
}

function floatVerb(verb: string, value: number, precision: number | undefined): string {
  if (!Number.isFinite(value)) return floatText(value);
  if (verb === "f") return value.toFixed(Math.min(precision ?? 6, 100));
  if (verb !== "g") {
    const text = exponential(value.toExponential(Math.min(precision ?? 6, 100)));
    return verb === "E" ? text.toUpperCase() : text;
  }
  return precision === undefined ? floatText(value) : generalText(value, precision);
}

/** `%.4g`: so many digits that count, without zeros at the end. */
export function generalText(value: number, digits: number): string {
  if (!Number.isFinite(value)) return floatText(value);
  const [mantissa, exponent = "0"] = value.toExponential(Math.max(digits, 1) - 1).split("e");
  const power = Number(exponent);
  if (power >= -4 && power < Math.max(digits, 1)) return String(Number(value.toPrecision(Math.max(digits, 1))));
  return exponential(`${Number(mantissa)}e${power < 0 ? "-" : "+"}${Math.abs(power)}`);
}
