/** Go's `printf` for the verbs that texts of notifications use. */
import { Failure } from "./failure.ts";
import { MAX_OUTPUT_CHARACTERS } from "./limits.ts";
import { Float } from "./nodes.ts";
import { TemplateProblem } from "./problem.ts";
import { Duration, exponential, floatText, List, printed, Safe, type Value } from "./values.ts";

const VERB = /%([-+# 0]*)(\d{0,4})(?:\.(\d{0,3}))?(?:\[(\d{1,3})\])?(.?)/gsu;
const VERBS = "svqdtfFeEgGxXobUc%";

/** @throws TemplateProblem where a format that is written out has another verb */
export function checkFormat(format: unknown, at: number): void {
  if (typeof format !== "string") throw new TemplateProblem(at, "printf has no format in quotes.");
  for (const [whole, flags, , , , verb] of format.matchAll(VERB)) {
    if (!isTaken(verb!, flags!))
      throw new TemplateProblem(at, `printf has ${JSON.stringify(whole)}: verbs are %${[...VERBS].join(" %")}.`);
  }
}

/** What a # changes is how Go writes values, which nobody is to read. */
function isTaken(verb: string, flags: string): boolean {
  return verb !== "" && VERBS.includes(verb) && (!flags.includes("#") || "xX".includes(verb));
}

export function printf(format: string, args: readonly Value[]): string {
  let next = 0;
  let isInOrder = true;
  let characters = 0;
  const text = format.replace(VERB, (whole, flags: string, width: string, precision, place, verb: string) => {
    if (verb === "%") return "%";
    if (!isTaken(verb, flags))
      throw new Failure(`printf has ${JSON.stringify(whole)}, which is no verb that is taken.`);
    if (place !== undefined) {
      isInOrder = false;
      next = Number(place) - 1;
    }
    if (next < 0 || next >= args.length) return place === undefined ? `%!${verb}(MISSING)` : `%!${verb}(BADINDEX)`;
    const shape = { flags, precision: precision === undefined ? undefined : Number(precision) };
    const made = padded(verbText(verb, args[next++], shape), { verb, flags, width: Number(width || 0) });
    characters += made.length;
    // Before all of it is there: the same text may be wanted in many places.
    if (characters > MAX_OUTPUT_CHARACTERS) throw new Failure(`makes more than ${MAX_OUTPUT_CHARACTERS} characters.`);
    return made;
  });
  const extra = isInOrder ? args.slice(next).map((arg) => `${goType(arg)}=${printed(arg)}`) : [];
  return extra.length === 0 ? text : `${text}%!(EXTRA ${extra.join(", ")})`;
}

function padded(made: string, { verb, flags, width }: { verb: string; flags: string; width: number }): string {
  const missing = width === 0 ? 0 : width - [...made].length;
  if (missing <= 0) return made;
  if (flags.includes("-")) return made + " ".repeat(missing);
  if (!flags.includes("0") || verb === "t") return " ".repeat(missing) + made;
  const sign = "dfFeEgG".includes(verb) ? (/^[+-]/.exec(made)?.[0] ?? "") : "";
  return sign + "0".repeat(missing) + made.slice(sign.length);
}

interface Shape {
  readonly flags: string;
  readonly precision: number | undefined;
}

function verbText(verb: string, value: Value, shape: Shape): string {
  switch (verb) {
    case "v":
      return shown(value);
    case "t":
      return typeof value === "boolean" ? String(value) : wrong(verb, value);
    case "s":
    case "q":
      return textVerb(verb, value, shape);
    case "x":
    case "X":
      return hex(verb, value, shape);
    case "d":
    case "o":
    case "b":
    case "U":
    case "c":
      return wholeVerb(verb, value, shape);
    default:
      return value instanceof Float
        ? signed(floatVerb(verb, value.value, shape.precision), shape.flags)
        : wrong(verb, value);
  }
}

function textVerb(verb: string, value: Value, { precision }: Shape): string {
  if (value instanceof List && value.type === "texts")
    return `[${value.items.map((each) => textVerb(verb, each, { flags: "", precision })).join(" ")}]`;
  if (typeof value === "number" && verb === "q") return goQuoted(String.fromCodePoint(codePoint(value)), "'");
  if (typeof value === "number" || typeof value === "boolean" || value instanceof Float || value === undefined)
    return wrong(verb, value);
  const text = printed(value);
  const cut = precision === undefined ? text : [...text].slice(0, precision).join("");
  return verb === "q" ? goQuoted(cut, '"') : cut;
}

function hex(verb: string, value: Value, { flags }: Shape): string {
  const isText = typeof value === "string" || value instanceof Safe;
  const number = isText ? undefined : whole(value);
  if (!isText && number === undefined) return wrong(verb, value);
  const digits = isText ? Buffer.from(printed(value)).toString("hex") : number!.toString(16);
  const made = `${flags.includes("#") ? "0x" : ""}${digits}`;
  return verb === "X" ? made.toUpperCase() : made;
}

function wholeVerb(verb: string, value: Value, { flags }: Shape): string {
  const number = whole(value);
  if (number === undefined) return wrong(verb, value);
  if (verb === "c") return String.fromCodePoint(codePoint(number));
  if (verb === "U") return `U+${number.toString(16).toUpperCase().padStart(4, "0")}`;
  return signed(number.toString(verb === "d" ? 10 : verb === "o" ? 8 : 2), flags);
}

function whole(value: Value): number | undefined {
  if (value instanceof Duration) return Math.round(value.seconds * 1e9);
  return typeof value === "number" ? value : undefined;
}

function codePoint(number: number): number {
  return number < 0 || number > 0x10ffff ? 0xfffd : number;
}

const QUOTED: Readonly<Record<string, string>> = {
  ...{ "\x07": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\" },
};

/** As Go's strconv.Quote. */
function goQuoted(value: string, quote: string): string {
  const escaped = (character: string) => {
    if (character === quote) return `\\${quote}`;
    if (Object.hasOwn(QUOTED, character)) return QUOTED[character]!;
    const code = character.codePointAt(0)!;
    if (code < 0x80) return `\\x${code.toString(16).padStart(2, "0")}`;
    return code < 0x10000 ? `\\u${code.toString(16).padStart(4, "0")}` : `\\U${code.toString(16).padStart(8, "0")}`;
  };
  return (
    quote +
    value.replace(/["'\\]|[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, (each) =>
      /["']/.test(each) && each !== quote ? each : escaped(each),
    ) +
    quote
  );
}

function wrong(verb: string, value: Value): string {
  return `%!${verb}(${value === undefined ? "<nil>" : `${goType(value)}=${printed(value)}`})`;
}

/** As Go's %v. */
export function shown(value: Value): string {
  return value === undefined ? "<nil>" : printed(value);
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
  if (verb === "f" || verb === "F") return value.toFixed(Math.min(precision ?? 6, 100));
  if (verb !== "g" && verb !== "G") {
    const text = exponential(value.toExponential(Math.min(precision ?? 6, 100)));
    return verb === "E" ? text.toUpperCase() : text;
  }
  const text = precision === undefined ? floatText(value) : generalText(value, precision);
  return verb === "G" ? text.toUpperCase() : text;
}

/** `%.4g`: so many digits that count, without zeros at the end. */
export function generalText(value: number, digits: number): string {
  if (!Number.isFinite(value)) return floatText(value);
  const [mantissa, exponent = "0"] = value.toExponential(Math.max(digits, 1) - 1).split("e");
  const power = Number(exponent);
  if (power >= -4 && power < Math.max(digits, 1)) return String(Number(value.toPrecision(Math.max(digits, 1))));
  return exponential(`${Number(mantissa)}e${power < 0 ? "-" : "+"}${Math.abs(power)}`);
}
