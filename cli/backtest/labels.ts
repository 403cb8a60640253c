import { create } from "@bufbuild/protobuf";
import { type CsvRecord, isBadRecord, openTable, originalText, quoted, TimeReader } from "../../formats/csv/index.ts";
import { type LabelledEvent, LabelledEventSchema } from "../../gen/es/telltale/v1/detector_pb.ts";
import { type CsvArguments, csvOptions, inFile } from "../csv.ts";
import { timestampOf } from "../time.ts";

/** What the columns may be called. */
const COLUMNS = {
  sensor_id: ["sensor_id", "sensor", "sensorid"],
  start: ["start", "from", "start_time", "begin"],
  end: ["end", "until", "to", "end_time"],
} as const;

/**
 * Labelled events of a file: CSV with the columns sensor_id, start, end (as `simulate` writes them), or a JSON list of
 * [start, end] pairs of the one sensor `sensorId`.
 *
 * @throws Error with the line that is wrong: labels are what all else is measured by, so none is left out
 */
export async function readLabels(
  file: string,
  bytes: Uint8Array,
  sensorId: string | undefined,
  options: CsvArguments,
): Promise<LabelledEvent[]> {
  const text = Buffer.from(bytes.subarray(0, 100)).toString().replace("\ufeff", "");
  try {
    return text.trimStart().startsWith("[") ? fromJson(file, bytes, sensorId) : await fromCsv(file, bytes, options);
  } catch (error) {
    throw inFile(file, error);
  }
}

function fromJson(file: string, bytes: Uint8Array, sensorId: string | undefined): LabelledEvent[] {
  const content: unknown = JSON.parse(Buffer.from(bytes).toString().replace("\ufeff", ""));
  if (!Array.isArray(content)) throw new Error(`${file} is no JSON list of [start, end] pairs`);
  if (sensorId === undefined) throw new Error(`${file} names no sensors: give --sensor-id, once`);
  const times = new TimeReader({});
  return content.map((pair: unknown, i) => {
    const [from, until] = Array.isArray(pair) ? pair.map(String) : [];
    if (i === 0) times.learn([from, until].flatMap((cell) => (cell === undefined ? [] : [[cell, 1]])));
    const event = eventOf(sensorId, times.read(from ?? "", i + 1), times.read(until ?? "", i + 1));
    if (typeof event !== "string") return event;
    throw new Error(
      `${file}: label ${i + 1} is ${JSON.stringify(pair)}: ${event}; wanted [start, end] as ISO 8601 times`,
    );
  });
}

async function fromCsv(file: string, bytes: Uint8Array, options: CsvArguments): Promise<LabelledEvent[]> {
  async function* whole() {
    yield bytes;
  }
  const { records, sample } = await openTable(whole(), csvOptions(options));
  const good = sample.filter((each): each is CsvRecord => !isBadRecord(each));
  const at = columnsOf(file, good[0]?.cells ?? []);
  const times = new TimeReader(csvOptions(options));
  const rows = good.slice(1);
  times.learn(rows.flatMap(({ cells, line }) => [at.start, at.end].map((i) => [cells[i] ?? "", line] as const)));
  const events: LabelledEvent[] = [];
  let header = true;
  for await (const record of records) {
    if (isBadRecord(record)) throw new Error(`${file}, line ${record.line}: ${record.reason}`);
    const { cells, line } = record;
    if (!header) {
      const time = (i: number) => times.read(cells[i] ?? "", line);
      const event = eventOf(originalText((cells[at.sensor_id] ?? "").trim()), time(at.start), time(at.end));
      if (typeof event === "string") throw new Error(`${file}, line ${line}: ${event}: ${quoted(cells.join(","))}`);
      events.push(event);
    }
    header = false;
  }
  return events;
}

function columnsOf(file: string, header: readonly string[]): Record<keyof typeof COLUMNS, number> {
  const names = header.map((name) => name.trim().toLowerCase());
  const index = (wanted: readonly string[]) => names.findIndex((name) => wanted.includes(name));
  const at = { sensor_id: index(COLUMNS.sensor_id), start: index(COLUMNS.start), end: index(COLUMNS.end) };
  if (Math.min(at.sensor_id, at.start, at.end) >= 0) return at;
  throw new Error(`${file} begins with ${quoted(header.join(","))}; wanted the columns sensor_id, start, end`);
}

/** The event, or what is wrong with it. */
function eventOf(sensorId: string, from: number | string, until: number | string): LabelledEvent | string {
  if (sensorId === "") return "it names no sensor";
  if (typeof from === "string") return `its start is ${from}`;
  if (typeof until === "string") return `its end is ${until}`;
  if (from > until) return "it ends before it starts";
  return create(LabelledEventSchema, { sensorId, startTime: timestampOf(from), endTime: timestampOf(until) });
}
