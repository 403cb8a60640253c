/** Profiles in CSV: a column for each field, tags separated by semicolons, and a column "attributes.NAME" for each attribute. */
import { CsvProblem, csvRow, isBadRecord, openTable, originalText } from "../../formats/csv/index.ts";
import type { RegisteredSensor } from "../../gen/es/telltale/v1/registry_pb.ts";
import { didYouMean } from "../../server/lib/suggest.ts";
import { type Entry, FIELDS, FileProblem, TEXT_FIELDS } from "./change.ts";

const ATTRIBUTE = "attributes.";
const TAG_SEPARATOR = ";";
const COLUMNS = FIELDS.filter((name) => name !== "attributes");

export async function readCsv(file: string, bytes: AsyncIterable<Uint8Array>): Promise<Entry[]> {
  try {
    const { records } = await openTable(bytes, { decimal: "." });
    let columns: string[] | undefined;
    const entries: Entry[] = [];
    for await (const record of records) {
      if (isBadRecord(record)) throw new FileProblem(`${file}, line ${record.line}: ${record.reason}.`);
      if (columns === undefined) columns = columnsOf(file, record.line, record.cells);
      else entries.push(entryOf(file, columns, record));
    }
    return entries;
  } catch (error) {
    if (error instanceof CsvProblem) throw new FileProblem(`${file}: ${error.message}`);
    throw error;
  }
}

function columnsOf(file: string, line: number, cells: readonly string[]): string[] {
  const columns = cells.map((cell) => originalText(cell).trim());
  for (const [index, name] of columns.entries()) {
    const where = `${file}, line ${line}, column ${index + 1}`;
    if (columns.indexOf(name) !== index)
      throw new FileProblem(`${where}: two columns are called ${JSON.stringify(name)}.`);
    if (COLUMNS.includes(name) || (name.startsWith(ATTRIBUTE) && name !== ATTRIBUTE)) continue;
    const wanted = `wanted ${COLUMNS.join(", ")} or ${ATTRIBUTE}NAME`;
    throw new FileProblem(
      `${where}: ${JSON.stringify(name)} is no field of a sensor; ${wanted}${didYouMean(name, COLUMNS) || "."}`,
    );
  }
  if (!columns.includes("sensor_id")) throw new FileProblem(`${file}, line ${line}: there is no column sensor_id.`);
  return columns;
}

function entryOf(
  file: string,
  columns: readonly string[],
  { cells, line }: { cells: readonly string[]; line: number },
): Entry {
  if (cells.length > columns.length)
    throw new FileProblem(
      `${file}, line ${line}: has ${cells.length} cells where there are ${columns.length} columns.`,
    );
  const texts = new Map<string, string>();
  let tags: string[] | undefined;
  let attributes: Record<string, string> | undefined;
  for (const [index, name] of columns.entries()) {
    const text = originalText(cells[index] ?? "");
    if (name === "tags") tags = text.split(TAG_SEPARATOR).flatMap((tag) => (tag.trim() === "" ? [] : [tag.trim()]));
    else if (name.startsWith(ATTRIBUTE)) {
      attributes ??= {};
      if (text !== "") attributes[name.slice(ATTRIBUTE.length)] = text;
    } else if (name !== "revision" || text !== "") texts.set(name, text);
  }
  return { line, lines: new Map(), texts, tags, attributes };
}

/** The rows that `readCsv` reads. */
export function csvRows(sensors: readonly RegisteredSensor[]): string[] {
  const names = [...new Set(sensors.flatMap(({ editedAttributes }) => Object.keys(editedAttributes)))].sort();
  const header = ["sensor_id", ...TEXT_FIELDS, "tags", ...names.map((name) => ATTRIBUTE + name)];
  return [csvRow(header), ...sensors.map((sensor) => csvRow(cellsOf(sensor, names)))];
}

function cellsOf(sensor: RegisteredSensor, names: readonly string[]): string[] {
  const { sensorId, displayName, description, owner, runbookUrl, asset, tags, editedAttributes: edited } = sensor;
  const odd = tags.find((tag) => tag.includes(TAG_SEPARATOR));
  if (odd !== undefined)
    throw new FileProblem(`The tag ${JSON.stringify(odd)} of ${sensorId} does not fit into CSV: export as YAML.`);
  const hidden = names.find((name) => edited[name] === "");
  if (hidden !== undefined)
    throw new FileProblem(`The empty attribute ${hidden} of ${sensorId} does not fit into CSV: export as YAML.`);
  const attributes = names.map((name) => edited[name] ?? "");
  return [sensorId, displayName, description, owner, runbookUrl, asset, tags.join(TAG_SEPARATOR), ...attributes];
}
