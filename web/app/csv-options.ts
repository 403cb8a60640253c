/** How a CSV file is read, as a person sets it: parameters of the bulk upload. "": as it is found in the file. */

export type CsvForm = Record<CsvField, string>;

const FIELDS = [
  ...["sensor_id", "sensor_column", "sensor_type", "unit", "location", "time_column", "value_column", "header"],
  ...["delimiter", "decimal", "encoding", "day_order", "time_zone", "dst", "time_unit", "interval", "start"],
] as const;
export type CsvField =
  | "sensor_id"
  | "sensor_column"
  | "sensor_type"
  | "unit"
  | "location"
  | "time_column"
  | "value_column"
  | "header"
  | "delimiter"
  | "decimal"
  | "encoding"
  | "day_order"
  | "time_zone"
  | "dst"
  | "time_unit"
  | "interval"
  | "start";

/** Of `value_column`: each column of numbers is a sensor. */
export const EACH_COLUMN = "each";

export function emptyForm(): CsvForm {
  return Object.fromEntries(FIELDS.map((name) => [name, ""])) as CsvForm;
}

export function queryOfForm(form: CsvForm): URLSearchParams {
  const query = new URLSearchParams({ format: "csv" });
  for (const [name, text] of Object.entries(form) as [CsvField, string][]) {
    const value = text.trim();
    if (value === "") continue;
    if (name === "day_order") query.set(value, "true");
    else if (name === "value_column" && value === EACH_COLUMN) query.set("wide", "true");
    else query.set(name, value);
  }
  return query;
}

/** The field of the form that a parameter of the route is set by. */
export function fieldOf(parameter: string): CsvField | undefined {
  if (parameter === "day_first" || parameter === "month_first") return "day_order";
  if (parameter === "wide") return "value_column";
  return FIELDS.find((name) => name === parameter) as CsvField | undefined;
}

const MAX_ID = 200;

/** A sensor's id for a file that names none: what the file is called. */
export function idOfFile(fileName: string, prefix: string): string {
  const name = fileName.replace(/(?:\.(?:csv|tsv|txt|dat|gz))+$/i, "");
  const id = name
    .normalize("NFC")
    .replace(/[\s\p{Cc}\p{Cf}]+/gu, "-")
    .replace(/^-+|-+$/g, "");
  return `${prefix}${id === "" ? "sensor" : id}`.slice(0, MAX_ID);
}

/** Columns by their number from 1, with what their first cell says. */
export function columnChoices(
  rows: readonly (readonly string[])[],
): { readonly value: string; readonly text: string }[] {
  return (rows[0] ?? []).map((cell, index) => ({
    value: String(index + 1),
    text: cell === "" ? `column ${index + 1}` : `${index + 1}: ${cell}`,
  }));
}

export interface Understood {
  readonly description: string;
  readonly header: boolean;
  readonly time_columns: readonly string[];
  readonly value_columns: readonly string[];
  readonly sensor_column: string | null;
  readonly sensor_type_column: string | null;
  readonly unit_column: string | null;
  readonly location_column: string | null;
}

/** What each column is taken for; "" for one that is not read. */
export function rolesOf(understood: Understood | null, rows: readonly (readonly string[])[]): string[] {
  const names = rows[0] ?? [];
  const roles: readonly (readonly [columns: readonly (string | null)[], role: string])[] =
    understood === null
      ? []
      : [
          [understood.time_columns, "time"],
          [understood.value_columns, "value"],
          [[understood.sensor_column], "sensor"],
          [[understood.sensor_type_column], "type of sensor"],
          [[understood.unit_column], "unit"],
          [[understood.location_column], "location"],
        ];
  return names.map((cell, index) => {
    const name = understood?.header ? cell : String(index + 1);
    return roles.find(([columns]) => columns.includes(name))?.[1] ?? "";
  });
}
