/** Arrow IPC, stream or file: record batches one at a time, each in memory while its rows are read. */
import { CompressionType } from "apache-arrow/fb/compression-type";
import { DictionaryBatch } from "apache-arrow/fb/dictionary-batch";
import type { Message } from "apache-arrow/fb/message";
import { MessageHeader } from "apache-arrow/fb/message-header";
import { RecordBatch } from "apache-arrow/fb/record-batch";
import { Schema } from "apache-arrow/fb/schema";
import { CsvProblem } from "../../csv/problem.ts";
import { type Budget, damaged } from "../budget.ts";
import type { RandomAccess } from "../random-access.ts";
import { unpack } from "../unpack.ts";
import type { ColumnarFile, Rows, Values, Vector } from "../values.ts";
import { type ColumnPart, valuesOf, vectorOf } from "./decode.ts";
import { type ArrowMessage, readFooter, streamMessages } from "./messages.ts";
import { type ArrowField, type Dictionary, fieldsOf, type Layout, type Span } from "./schema.ts";

/** Read as it comes. @throws CsvProblem where the bytes do not begin with a schema that is read */
export async function openArrowStream(pieces: AsyncIterable<Uint8Array>, budget: Budget): Promise<ColumnarFile> {
  const dictionaries = new Dictionaries(budget);
  const messages = streamMessages(pieces, budget, (message) => dictionaries.isRead(message));
  const { value: first } = await messages.next();
  const schema = first?.message.headerType() === MessageHeader.Schema ? first.message.header(new Schema()) : null;
  if (schema === null) throw damaged("no schema at its beginning");
  const fields = fieldsOf(schema as Schema);
  dictionaries.declare(fields);
  return new ArrowFile(fields, messages, dictionaries, budget);
}

/** @throws CsvProblem where the file has no footer that is read */
export async function openArrowFile(file: RandomAccess, budget: Budget): Promise<ColumnarFile> {
  const { schema, messages } = await readFooter(file, budget);
  const fields = fieldsOf(schema);
  const dictionaries = new Dictionaries(budget);
  dictionaries.declare(fields);
  return new ArrowFile(
    fields,
    messages((message) => dictionaries.isRead(message)),
    dictionaries,
    budget,
  );
}

function headerOf<T>(message: Message, into: T): T {
  const header: T | null = message.header(into);
  if (header === null) throw damaged("a message without its header");
  return header;
}

class ArrowFile implements ColumnarFile {
  readonly format = "Arrow";
  readonly fields: readonly ArrowField[];
  readonly #messages: AsyncGenerator<ArrowMessage>;
  readonly #dictionaries: Dictionaries;
  readonly #budget: Budget;
  #only: ReadonlySet<number> | undefined;

  constructor(
    fields: readonly ArrowField[],
    messages: AsyncGenerator<ArrowMessage>,
    dictionaries: Dictionaries,
    budget: Budget,
  ) {
    this.fields = fields;
    this.#messages = messages;
    this.#dictionaries = dictionaries;
    this.#budget = budget;
  }

  only(columns: ReadonlySet<number>): void {
    this.#only = columns;
  }

  async *rows(): AsyncGenerator<Rows> {
    for await (const { message, body } of this.#messages) {
      const type = message.headerType();
      if (type === MessageHeader.DictionaryBatch) {
        this.#dictionaries.take(headerOf(message, new DictionaryBatch()), body);
      } else if (type === MessageHeader.RecordBatch) {
        yield* this.#batch(headerOf(message, new RecordBatch()), body);
      } else throw damaged("a message that is no record batch");
    }
  }

  *#batch(batch: RecordBatch, body: Uint8Array): Generator<Rows> {
    const parts = new BatchParts(batch, body, this.#budget);
    const count = parts.length;
    const columns = this.fields.map((field, i) => {
      const read = field.type.kind !== "other" && this.#only?.has(i) !== false;
      return parts.column(field.span, read, (part) => this.#vector(field, part, count));
    });
    if (count > 0) yield { count, columns };
    parts.release();
  }

  #vector({ layout, dictionary }: ArrowField, part: ColumnPart, count: number): Vector {
    if (part.length !== count) throw damaged("a column of another length than its record batch");
    // What a dictionary or a bitmap makes of it: four bytes a row.
    if (dictionary === undefined) return vectorOf(part, layout);
    return vectorOf(part, dictionary.index, this.#dictionaries.values(dictionary.id));
  }
}

/** Of a record batch: more than any number of columns has, and fewer than fill the memory. */
const MAX_BUFFERS = 200_000;

/** Walks through the columns of a record batch, and the buffers of each. */
class BatchParts {
  readonly length: number;
  readonly #batch: RecordBatch;
  readonly #body: Uint8Array;
  readonly #budget: Budget;
  readonly #codec: "lz4_frame" | "zstd" | undefined;
  #node = 0;
  #buffer = 0;
  #view = 0;
  /** Bytes of the body that no buffer has had: each is of one at most. */
  #left: number;
  /** Bytes beside the body. */
  held = 0;

  constructor(batch: RecordBatch, body: Uint8Array, budget: Budget) {
    this.#batch = batch;
    this.#body = body;
    this.#left = body.length;
    this.#budget = budget;
    this.length = lengthOf(batch.length());
    const compression = batch.compression();
    this.#codec =
      compression === null ? undefined : compression.codec() === CompressionType.ZSTD ? "zstd" : "lz4_frame";
  }

  /** The next column; its buffers are looked at only where it is read. */
  column<T>({ nodes, buffers: own, views }: Span, isRead: boolean, make: (part: ColumnPart) => T): T | undefined {
    const node = this.#batch.nodes(this.#node);
    this.#node += nodes;
    let buffers = own;
    for (let i = 0; i < views; i++) buffers += lengthOf(this.#batch.variadicBufferCounts(this.#view++) ?? 0n);
    const from = this.#buffer;
    this.#buffer += buffers;
    const most = Math.min(MAX_BUFFERS, this.#batch.buffersLength());
    if (node === null || this.#node > this.#batch.nodesLength() || this.#buffer > most)
      throw damaged("a record batch without all of its columns");
    if (!isRead) return undefined;
    const length = lengthOf(node.length());
    // Places of values, where some are missing or stand in a dictionary.
    this.#hold(length * 4);
    return make({
      length,
      nullCount: lengthOf(node.nullCount()),
      buffers: Array.from({ length: buffers }, (_, i) => this.#bytes(from + i)),
    });
  }

  #hold(bytes: number): void {
    this.#budget.hold(bytes);
    this.held += bytes;
  }

  #bytes(index: number): Uint8Array {
    const buffer = this.#batch.buffers(index)!;
    const [from, size] = [lengthOf(buffer.offset()), lengthOf(buffer.length())];
    if (from + size > this.#body.length) throw damaged("a buffer beyond the end of its record batch");
    this.#left -= size;
    if (this.#left < 0) throw damaged("buffers that lie in the same bytes");
    const bytes = this.#body.subarray(from, from + size);
    if (this.#codec === undefined || size === 0) return bytes;
    if (size < 8) throw damaged("a compressed buffer without its length");
    const length = new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(0, true);
    if (length === -1n) return bytes.subarray(8);
    const whole = lengthOf(length);
    this.#hold(whole);
    return unpack(this.#codec, bytes.subarray(8), whole);
  }

  release(): void {
    this.#budget.release(this.held);
    this.held = 0;
  }
}

function lengthOf(value: bigint): number {
  const length = Number(value);
  if (length >= 0 && length <= 2 ** 31) return length;
  throw damaged(`a length of ${value}`);
}

/** Values that columns refer to. They stay in memory until others take their place. */
class Dictionaries {
  readonly #budget: Budget;
  readonly #declared = new Map<bigint, { readonly dictionary: Dictionary; readonly layout: Layout }>();
  readonly #known = new Map<bigint, { readonly values: Values; readonly bytes: number }>();

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  declare(fields: readonly ArrowField[]): void {
    for (const { dictionary, layout, type } of fields)
      if (dictionary !== undefined && type.kind !== "other") this.#declared.set(dictionary.id, { dictionary, layout });
  }

  /** Dictionaries that no column refers to, such as those of nested ones, are passed over. */
  isRead(message: Message): boolean {
    if (message.headerType() !== MessageHeader.DictionaryBatch) return true;
    return this.#declared.has(headerOf(message, new DictionaryBatch()).id());
  }

  take(batch: DictionaryBatch, body: Uint8Array): void {
    const id = batch.id();
    const declared = this.#declared.get(id);
    if (declared === undefined) return;
    if (batch.isDelta())
      throw new CsvProblem("a later batch extends a dictionary: write the file without dictionary deltas.");
    const data = batch.data();
    if (data === null) throw damaged("a dictionary without values");
    this.#budget.release(this.#known.get(id)?.bytes ?? 0);
    this.#known.delete(id);
    const parts = new BatchParts(data, body, this.#budget);
    const values = parts.column(declared.dictionary.span, true, (part) => {
      if (part.nullCount > 0) throw new CsvProblem("a dictionary holds a missing value: mark the rows as missing.");
      return valuesOf(part, declared.layout);
    });
    // The message gives its body back; the values lie in it.
    this.#budget.hold(body.length);
    this.#known.set(id, { values: values!, bytes: body.length + parts.held });
  }

  values(id: bigint): Values {
    const known = this.#known.get(id);
    if (known !== undefined) return known.values;
    throw damaged("a column whose dictionary is missing");
  }
}
