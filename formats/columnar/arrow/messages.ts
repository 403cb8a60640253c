/** Arrow's IPC format as messages: of a stream as they come, of a file as its footer says where they are. */
import type { Block } from "apache-arrow/fb/block";
import { Footer } from "apache-arrow/fb/footer";
import { Message } from "apache-arrow/fb/message";
import type { Schema } from "apache-arrow/fb/schema";
import { ByteBuffer } from "flatbuffers";
import { type Budget, damaged } from "../budget.ts";
import type { RandomAccess } from "../random-access.ts";
import { ARROW_FILE_MAGIC, checkFormat, RECOGNISED_BYTES } from "../recognise.ts";

const CONTINUATION = 0xffff_ffff;

export interface ArrowMessage {
  readonly message: Message;
  /** Its buffers. Empty where they were passed over. */
  readonly body: Uint8Array;
}

/** Bytes as many as are asked for, whatever pieces they come in. */
class Bytes {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #piece: Uint8Array = new Uint8Array();
  #at = 0;

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  /** Undefined where there are none left. Memory of its own, aligned for any type. */
  async take(length: number): Promise<Uint8Array | undefined> {
    const to = new Uint8Array(length);
    const taken = await this.#each(length, (piece, at) => to.set(piece, at));
    if (taken === 0 && length > 0) return undefined;
    if (taken < length) throw damaged("fewer bytes than it says");
    return to;
  }

  async skip(length: number): Promise<void> {
    if ((await this.#each(length, () => {})) < length) throw damaged("fewer bytes than it says");
  }

  async #each(length: number, use: (piece: Uint8Array, at: number) => void): Promise<number> {
    let taken = 0;
    while (taken < length) {
      if (this.#at === this.#piece.length) {
        const next = await this.#pieces.next();
        if (next.done) return taken;
        this.#piece = next.value;
        this.#at = 0;
        continue;
      }
      const part = this.#piece.subarray(this.#at, this.#at + length - taken);
      use(part, taken);
      this.#at += part.length;
      taken += part.length;
    }
    return taken;
  }
}

/** The messages of a stream. @throws CsvProblem where the bytes are none, or one of them is too large */
export async function* streamMessages(
  pieces: AsyncIterable<Uint8Array>,
  budget: Budget,
  isRead: (message: Message) => boolean,
): AsyncGenerator<ArrowMessage> {
  const bytes = new Bytes(pieces);
  const start = (await bytes.take(START_BYTES)) ?? new Uint8Array();
  checkFormat(start, "arrow-stream");
  for (let length = wordIn(start, 4); length > 0; length = await lengthOf(bytes)) {
    budget.hold(length);
    const header = await bytes.take(length);
    if (header === undefined) throw damaged("a message without its header");
    const message = Message.getRootAsMessage(new ByteBuffer(header));
    const size = Number(message.bodyLength());
    const reads = isRead(message);
    const held = length + (reads ? size : 0);
    budget.hold(held - length);
    if (!reads) await bytes.skip(size);
    const body = reads ? await bytes.take(size) : new Uint8Array();
    if (body === undefined) throw damaged("a record batch without its values");
    yield { message, body };
    budget.release(held);
  }
}

export interface ArrowFooter {
  readonly schema: Schema;
  /** Dictionaries first, then record batches. */
  messages(isRead: (message: Message) => boolean): AsyncGenerator<ArrowMessage>;
}

/** A file says at its end where its messages are. @throws CsvProblem where it does not */
export async function readFooter(file: RandomAccess, budget: Budget): Promise<ArrowFooter> {
  checkFormat(await file.read(0, Math.min(file.size, RECOGNISED_BYTES)), "arrow-file");
  const tailBytes = 4 + ARROW_FILE_MAGIC.length;
  if (file.size < START_BYTES + tailBytes) throw damaged("no footer");
  const tail = await file.read(file.size - tailBytes, tailBytes);
  if (tail.toString("latin1", 4) !== ARROW_FILE_MAGIC) throw damaged("no footer");
  const length = tail.readInt32LE(0);
  const end = file.size - tailBytes;
  if (!(length > 0 && length <= end - START_BYTES)) throw damaged("a footer that is larger than the file");
  budget.hold(length);
  const footer = Footer.getRootAsFooter(new ByteBuffer(await file.read(end - length, length)));
  const schema = footer.schema();
  if (schema === null) throw damaged("a footer without a schema");
  function* blocks() {
    for (let i = 0; i < footer.dictionariesLength(); i++) yield placeOf(footer.dictionaries(i), file);
    for (let i = 0; i < footer.recordBatchesLength(); i++) yield placeOf(footer.recordBatches(i), file);
  }
  async function* messages(isRead: (message: Message) => boolean) {
    // Each byte is of one message at most: a small file would else be read as a large one.
    let left = file.size;
    for (const place of blocks()) {
      left -= place.length + place.size;
      if (left < 0) throw damaged("record batches that lie in the same bytes");
      yield* messageAt(file, place, budget, isRead);
    }
  }
  return { schema, messages };
}

interface MessagePlace {
  readonly at: number;
  /** Of its header, and of its body. */
  readonly length: number;
  readonly size: number;
}

function placeOf(block: Block | null, file: RandomAccess): MessagePlace {
  const [at, length, size] = [Number(block?.offset()), block?.metaDataLength() ?? 0, Number(block?.bodyLength())];
  if (at >= START_BYTES && length > START_BYTES && size >= 0 && at + length + size <= file.size)
    return { at, length, size };
  throw damaged("a record batch beyond its end");
}

async function* messageAt(
  file: RandomAccess,
  { at, length, size }: MessagePlace,
  budget: Budget,
  isRead: (message: Message) => boolean,
): AsyncGenerator<ArrowMessage> {
  budget.hold(length);
  const header = await file.read(at, length);
  // Before version 0.15 the length stood without the word before it.
  const message = Message.getRootAsMessage(new ByteBuffer(header.subarray(wordIn(header, 0) === CONTINUATION ? 8 : 4)));
  const reads = isRead(message);
  const held = length + (reads ? size : 0);
  budget.hold(held - length);
  yield { message, body: reads ? await file.read(at + length, size) : new Uint8Array() };
  budget.release(held);
}

/** Of a file, its magic and what fills it up; of a stream, the first words. */
const START_BYTES = 8;

/** Of the next message's header; 0 at the end, which a stream may have without saying so. */
async function lengthOf(bytes: Bytes): Promise<number> {
  const words = await bytes.take(8);
  if (words === undefined) return 0;
  if (wordIn(words, 0) !== CONTINUATION) throw damaged("something else in the place of a message");
  return wordIn(words, 4);
}

function wordIn(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
}
