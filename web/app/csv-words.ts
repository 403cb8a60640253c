/** Messages about a CSV file in the words of the form, where the platform names fields and parameters as programs do. */
import { CSV_CHOICES, CSV_LABELS } from "./csv-labels.ts";
import { type CsvField, EACH_COLUMN, fieldOf } from "./csv-options.ts";

export interface PlainMessage {
  readonly text: string;
  /** What programs call what the text names, in the order of the text. */
  readonly names: readonly string[];
}

/** Fields of a reading. What is a plain word already stays. */
const READING: Readonly<Record<string, string>> = {
  observed_at: "the time",
  sensor_id: "the sensor",
  sensor_type: "the type of sensor",
};
/** Parameters that are names wherever they stand. */
const NAMES =
  "sensor_id|sensor_column|sensor_type|time_column|value_column|day_first|month_first|time_zone|time_unit|dst";
/** Parameters that are words of sentences too: names only where something is to be decided by them. */
const WORDS = "unit|location|header|delimiter|decimal|encoding|interval|start|wide";
const PARAMETER = String.raw`(?:${NAMES}|${WORDS})(?:=(?:[.,](?= )|[\w-]+))?`;
const DECIDES = String.raw`(?=(?: (?:or|and) ${PARAMETER})* (?:decides?|gives?)\b)`;
const QUOTED = String.raw`"(?:[^"\\]|\\.)*"`;
const VALUE = String.raw`=(?:[.,](?= )|[\w-]+)`;
const FOUND = new RegExp(
  String.raw`${QUOTED}|(?<![\w./-])(?:observed_at(?![\w-])|(?:${NAMES})(?:${VALUE})?(?![\w-])|(?:${WORDS})(?:${VALUE}|${DECIDES}|(?= where the rows)))`,
  "g",
);
/** Values of one parameter, or both orders of a date: the field decides, whichever of them it gets. */
const CHOICE = new RegExp(String.raw`(?<![\w./-])${PARAMETER}(?: or ${PARAMETER})+(?= decides?\b)`, "g");

/** @param about a parameter of the upload has a field of the form; of a line of the file its reading is told, by what was read */
export function plainWords(message: string, about: "form" | "line" = "form"): PlainMessage {
  const names: string[] = [];
  const note = (name: string) => void (names.includes(name) || names.push(name));
  const named = (part: string): string => {
    const [name, value] = part.split("=") as [string, string?];
    const word = READING[name];
    if (word !== undefined && value === undefined && (about === "line" || fieldOf(name) === undefined)) {
      note(name);
      return word;
    }
    const field = fieldOf(name);
    if (field === undefined) return part;
    note(name);
    const label = `"${CSV_LABELS[field]}"`;
    return value === undefined ? label : `${label} as "${choiceText(field, name, value)}"`;
  };
  const text = message
    .split(new RegExp(`(${QUOTED})`))
    .map((piece, index) => (index % 2 === 1 ? piece : piece.replace(CHOICE, (all) => ofOne(all, note))))
    .join("")
    .replace(FOUND, (found) => (found.startsWith('"') ? found : named(found)));
  return { text, names };
}

/** The label of the field that all of the alternatives set; as it was where they are several fields'. */
function ofOne(alternatives: string, note: (name: string) => void): string {
  const all = alternatives.split(" or ").map((each) => each.split("=")[0]!);
  const fields = new Set(all.map(fieldOf));
  const [field] = fields;
  if (fields.size !== 1 || field === undefined) return alternatives;
  for (const name of all) note(name);
  return `"${CSV_LABELS[field]}"`;
}

function choiceText(field: CsvField, name: string, value: string): string {
  const chosen = name === "wide" ? EACH_COLUMN : field === "day_order" ? name : value;
  return CSV_CHOICES[field]?.find(([each]) => each === chosen)?.[1] ?? value;
}
