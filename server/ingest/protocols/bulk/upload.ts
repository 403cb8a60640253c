/** One upload on its way: batches that are handed over while the next is read, and what became of them. */

import { instantText } from "../../../../formats/time.ts";
import { RefusalReason } from "../../../../gen/es/telltale/v1/ingest_pb.ts";
import { enumName } from "../../../lib/enum-name.ts";
import { toTimestamp } from "../../../lib/time.ts";
import type { Submission } from "../../ingestor.ts";
import type { StreamedRequest } from "../../protocol.ts";
import { PointBatchBuilder } from "../points.ts";
import type { BulkPoint } from "./source.ts";

/** Batches of an upload that may wait for their scores: bounds its memory. */
const MAX_UNSETTLED_BATCHES = 4;
/** Refused lines that the answer names; the counts go on. */
export const MAX_REFUSALS = 100;
/** Sensors that the answer names: as many as a chart compares. */
export const MAX_NAMED_SENSORS = 8;
/** Characters of a reason: a cell may be long. */
const MAX_MESSAGE = 300;

export interface RefusedLine {
  readonly line: number;
  /** In snake case: of the contract's RefusalReason, or "unreadable". */
  readonly reason: string;
  readonly message: string;
}

export class Upload {
  readonly counts = { accepted: 0, duplicate: 0, conflicting: 0, rejected: 0, late: 0 };
  readonly #request: Pick<StreamedRequest, "submit" | "settled">;
  readonly #builder = new PointBatchBuilder();
  /** Of the points of each block, and of the readings, of the batch in the making. */
  #lines: BatchLines = { readings: [], blocks: [] };
  readonly #open: { readonly submission: Submission; readonly lines: BatchLines }[] = [];
  readonly #unreadable: RefusedLine[] = [];
  readonly #refused: RefusedLine[] = [];
  readonly #sensors = new Set<string>();
  #series: BulkPoint["series"] | undefined;
  #firstUs = Number.POSITIVE_INFINITY;
  #lastUs = Number.NEGATIVE_INFINITY;

  constructor(request: Pick<StreamedRequest, "submit" | "settled">) {
    this.#request = request;
  }

  /** The first of them, by line. */
  get refusals(): readonly RefusedLine[] {
    return [...this.#unreadable, ...this.#refused].sort((a, b) => a.line - b.line).slice(0, MAX_REFUSALS);
  }

  /** What the readings that were understood are of, stored or not. */
  extent(): object {
    const [from, to] = this.#sensors.size === 0 ? [null, null] : [this.#firstUs, this.#lastUs].map(instantText);
    return { sensors: this.#sensors.size, sensor_ids: [...this.#sensors].slice(0, MAX_NAMED_SENSORS), from, to };
  }

  refuse(line: number, message: string): void {
    this.counts.rejected++;
    note(this.#unreadable, line, "unreadable", message);
  }

  /** Resolves when there is room for more. */
  async add(points: readonly BulkPoint[]): Promise<void> {
    for (const point of points) {
      if (this.#builder.isFullFor(point.series, point.metadata !== undefined)) await this.#handOver();
      this.#put(point);
    }
  }

  #put({ line, series, timeUs, value, metadata }: BulkPoint): void {
    if (series !== this.#series) this.#sensors.add(series.sensorId);
    this.#series = series;
    if (timeUs < this.#firstUs) this.#firstUs = timeUs;
    if (timeUs > this.#lastUs) this.#lastUs = timeUs;
    const { readings, blocks } = this.#lines;
    const block = metadata === undefined ? this.#builder.add(series, timeUs, value) : -1;
    if (metadata !== undefined) {
      const reading = { value, observedAt: toTimestamp(timeUs), metadata: metadata.fields };
      this.#builder.addReading(series, reading, metadata.characters);
    }
    if (block === -1) readings.push(line);
    else if (blocks[block] === undefined) blocks[block] = [line];
    else blocks[block].push(line);
  }

  /** Resolves when all of it is stored. */
  async end(): Promise<void> {
    if (!this.#builder.isEmpty) await this.#handOver();
    while (this.#open.length > 0) await this.#settleFirst();
  }

  async #handOver(): Promise<void> {
    const lines = this.#lines;
    this.#lines = { readings: [], blocks: [] };
    this.#open.push({ submission: await this.#request.submit(this.#builder.take()), lines });
    while (this.#open.length > MAX_UNSETTLED_BATCHES) await this.#settleFirst();
  }

  async #settleFirst(): Promise<void> {
    const { submission, lines } = this.#open.shift()!;
    const { counts, refusals } = await this.#request.settled(submission);
    for (const name of Object.keys(this.counts) as (keyof Upload["counts"])[]) this.counts[name] += counts[name];
    for (const { index, reason, message } of refusals) {
      if (this.#refused.length >= MAX_REFUSALS) return;
      note(this.#refused, lineOf(lines, index), enumName(RefusalReason, reason).toLowerCase(), message);
    }
  }
}

interface BatchLines {
  readonly readings: number[];
  readonly blocks: number[][];
}

/** Indices count readings, and then the points of blocks. */
function lineOf({ readings, blocks }: BatchLines, index: number): number {
  if (index < readings.length) return readings[index]!;
  let left = index - readings.length;
  for (const lines of blocks) {
    if (left < lines.length) return lines[left]!;
    left -= lines.length;
  }
  return 0;
}

function note(list: RefusedLine[], line: number, reason: string, message: string): void {
  if (list.length < MAX_REFUSALS)
    list.push({ line, reason, message: message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE)}…` : message });
}
