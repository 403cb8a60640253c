/** Readings as Arrow, by Apache's writer, for tests. */
import {
  Dictionary,
  Float64,
  Int32,
  makeVector,
  RecordBatch,
  RecordBatchFileWriter,
  RecordBatchStreamWriter,
  type Schema,
  Table,
  TimestampMicrosecond,
  Utf8,
  vectorFromArray,
} from "apache-arrow";
import type { TestReading } from "./parquet.ts";

export interface ArrowForm {
  readonly form?: "stream" | "file";
  /** Of each record batch. */
  readonly batchRows?: number;
  /** Of the first one, where it has others. */
  readonly firstRows?: number;
}

export async function arrowOf(
  readings: readonly TestReading[],
  { form = "stream", batchRows = 10_000, firstRows = batchRows }: ArrowForm = {},
): Promise<Buffer<ArrayBuffer>> {
  const writer = form === "stream" ? new RecordBatchStreamWriter() : new RecordBatchFileWriter();
  const ids = [...new Set(readings.map(({ sensorId }) => sensorId))];
  const type = new Dictionary(new Utf8(), new Int32(), 0);
  const dictionary = vectorFromArray(ids, new Utf8());
  const places = new Map(ids.map((id, i) => [id, i]));
  // The writer begins anew with each schema that is another object.
  let schema: Schema | undefined;
  for (let from = 0, to = firstRows; from < readings.length; from = to, to += batchRows) {
    const some = readings.slice(from, to);
    const sensors = Int32Array.from(some, ({ sensorId }) => places.get(sensorId)!);
    const times = BigInt64Array.from(some, ({ timeUs }) => BigInt(timeUs));
    const table = new Table({
      sensor_id: makeVector({ type, data: sensors, dictionary, nullCount: 0 }),
      time: makeVector({ type: new TimestampMicrosecond("UTC"), data: times, nullCount: 0 }),
      value: makeVector({ type: new Float64(), data: Float64Array.from(some, ({ value }) => value), nullCount: 0 }),
    });
    schema ??= table.schema;
    writer.write(new RecordBatch(schema, table.batches[0]!.data));
  }
  writer.finish();
  return Buffer.from(await writer.toUint8Array());
}
