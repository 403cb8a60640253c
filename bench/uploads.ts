/** Files by the bulk upload, in each of its formats: the same readings, two files at a time. */
import { Readable } from "node:stream";
import { openColumnarFile, openColumnarStream } from "../formats/columnar/index.ts";
import { CsvReader } from "../formats/csv/index.ts";
import { arrowOf } from "../testing/columnar/arrow.ts";
import { parquetOf, type TestReading } from "../testing/columnar/parquet.ts";
import { inMemory } from "../testing/columnar/read.ts";
import { cpuOf, difference, sum } from "./cpu.ts";
import { hundredths, type Row } from "./row.ts";
import { nowUs } from "./workload.ts";

const PATH = "/api/v1/sensors/data/bulk";
const FILES_AT_ONCE = 2;
/** Of a file, whose rows are in the order of time. */
const SENSORS = 1_000;
/** Rows before the time counts: every sensor is met for the first time. */
const WARM_ROWS = 5 * SENSORS;
const HISTORY_US = 20 * 86_400e6;

interface FileFormat {
  readonly type: string;
  readonly query?: string;
  write(readings: readonly TestReading[]): Buffer<ArrayBuffer> | Promise<Buffer<ArrayBuffer>>;
  /** Reads it to its end, and stores nothing. */
  read?(file: Buffer): Promise<unknown>;
}

const iso = (us: number) => new Date(us / 1000).toISOString();

async function walk(chunks: AsyncIterable<readonly unknown[]>): Promise<number> {
  let rows = 0;
  for await (const some of chunks) rows += some.length;
  return rows;
}

const FORMATS: Readonly<Record<string, FileFormat>> = {
  csv: {
    type: "text/csv",
    write: (readings) =>
      Buffer.from(
        `sensor_id,time,value\n${readings.map((each) => `${each.sensorId},${iso(each.timeUs)},${each.value}`).join("\n")}\n`,
      ),
    read: async (file) => walk((await CsvReader.open(pieces(file))).chunks()),
  },
  json_lines: {
    type: "application/x-ndjson",
    query: "?sensor_type=sensor&unit=1",
    write: (readings) =>
      Buffer.from(
        readings
          .map(({ sensorId, timeUs, value }) =>
            JSON.stringify({ sensor_id: sensorId, observed_at: iso(timeUs), value }),
          )
          .join("\n"),
      ),
  },
  parquet: {
    type: "application/vnd.apache.parquet",
    write: (readings) => parquetOf(readings, 100_000),
    read: async (file) => walk((await openColumnarFile("parquet", inMemory(file))).chunks()),
  },
  arrow: {
    type: "application/vnd.apache.arrow.stream",
    write: (readings) => arrowOf(readings, { batchRows: 65_536 }),
    read: async (file) => walk((await openColumnarStream(pieces(file))).chunks()),
  },
};

const pieces = (file: Buffer) =>
  Readable.from(
    Array.from({ length: Math.ceil(file.length / 65_536) }, (_, i) => file.subarray(i * 65_536, (i + 1) * 65_536)),
  );

/** @param samples of each format, about */
export async function uploadRows(
  url: string,
  pids: readonly number[],
  samples: number,
  blocks: { readonly perSecond: number; readonly cpuUs: number },
): Promise<Row[]> {
  const rows: Row[] = [];
  const perFile = Math.ceil(samples / FILES_AT_ONCE / SENSORS) * SENSORS;
  for (const [name, format] of Object.entries(FORMATS)) {
    const startUs = nowUs() - HISTORY_US;
    const files = await Promise.all(
      Array.from({ length: FILES_AT_ONCE }, async (_, file) => {
        const readings = Array.from({ length: WARM_ROWS + perFile }, (_, i) => ({
          ...{
            sensorId: `${name}-${file}-${i % SENSORS}`,
            timeUs: Math.floor(startUs + Math.floor(i / SENSORS) * 1e6),
          },
          value: Math.round(2150 + 300 * Math.sin(i / 50_000 + (i % SENSORS))) / 100,
        }));
        return {
          warm: await format.write(readings.slice(0, WARM_ROWS)),
          whole: await format.write(readings.slice(WARM_ROWS)),
        };
      }),
    );
    for (const { warm } of files) await upload(url, format, warm, WARM_ROWS);
    const before = cpuOf(pids);
    const began = performance.now();
    await Promise.all(files.map(({ whole }) => upload(url, format, whole, perFile)));
    const seconds = (performance.now() - began) / 1000;
    const cpu = difference(before, cpuOf(pids));
    const sent = perFile * FILES_AT_ONCE;
    const cpuUs = (sum(cpu) * 1e6) / sent;
    rows.push({
      name: `upload_${name}_per_s`,
      value: sent / seconds,
      unit: "readings/s",
      beside: {
        ...{ cpu_us: hundredths(cpuUs), cpu_to_grpc_blocks: hundredths(cpuUs / blocks.cpuUs) },
        to_grpc_blocks: hundredths(sent / seconds / blocks.perSecond),
        bytes_per_reading: hundredths(files[0]!.whole.length / perFile),
        reader_us:
          format.read === undefined ? undefined : hundredths(await readerUs(format.read, files[0]!.whole, perFile)),
        readings: sent,
      },
    });
  }
  return rows;
}

/** CPU of reading a row, in this process. The first time compiles. */
async function readerUs(read: (file: Buffer) => Promise<unknown>, file: Buffer, rows: number): Promise<number> {
  await read(file);
  const before = process.cpuUsage();
  await read(file);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / rows;
}

async function upload(url: string, { type, query = "" }: FileFormat, body: Buffer<ArrayBuffer>, readings: number) {
  const response = await fetch(`${url}${PATH}${query}`, { method: "POST", headers: { "content-type": type }, body });
  const answer = (await response.json()) as { accepted: number; detail?: string };
  if (response.status !== 200 || answer.accepted !== readings)
    throw new Error(
      `An upload of ${readings} readings was answered with ${response.status}: ${JSON.stringify(answer).slice(0, 500)}`,
    );
}
