import { fromBinary } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { TelltaleError } from "../errors.ts";
import type { PartitionRow, StateChunk, Store } from "../store/store.ts";
import { type PartitionState, PRODUCERS_CHUNK } from "./state.ts";

/**
 * How a partition's state is brought up to the store's offset:
 * - "loaded": from the saved state and the records since. To the bit.
 * - "rebuilt": the saved state is of another version and the log has every record: all are read again. To the bit what this version
 *   would have had all along.
 * - "warmed": the saved state is of another version and the log has lost its oldest records. Detectors begin anew with the newest of
 *   what is left; what deduplication needs comes from the store.
 * - "patched": the saved state fits, but the log has lost records that were stored after it was saved. They are not learnt.
 */
export type RecoveryKind = "loaded" | "rebuilt" | "warmed" | "patched";

export interface Recovery {
  readonly kind: RecoveryKind;
  /** The senders' windows, where they are to be added at the end. */
  readonly producers: StateChunk | undefined;
}

/**
 * Records that warm up detectors where not all can be read again: hundreds of readings a sensor at most rates, read in about a
 * minute. All of a long log could take hours, in which the partition stands still.
 */
export const WARM_UP_RECORDS = 100_000;

/**
 * Loads a partition's state from the store; `state.next` then is the first record wanted. `oldest` is the first that the log still
 * has. Throws TelltaleError "conflict" where records that were never stored are gone: nothing may go on over that.
 */
export async function recover(
  state: PartitionState,
  partition: number,
  oldest: number,
  store: Store,
  logger: Logger,
): Promise<Recovery> {
  state.row = await store.readPartition(partition);
  const { row } = state;
  if (row.nextOffset < oldest) throw lostRecords(partition, row.nextOffset, oldest);
  const chunks = await store.readChunks(partition);
  const fits = chunks.every((c) => state.canRead(c));
  const kind = choose(fits, row, oldest);
  const from = firstRecord(kind, row, oldest);
  tell(logger, kind, { partition, from, oldest, stored: row.nextOffset, found: versions(chunks) }, state.version);
  if (fits) for (const c of chunks) state.load(c);
  const series = await store.readSeries(partition);
  if (kind === "warmed") state.series.adopt(series);
  else for (const s of series) state.series.known(s);
  for (const control of await store.readSettings(partition, from)) {
    // What it did to sensors is in the chunks, where there are any.
    state.settings.apply(fromBinary(ControlSchema, control), state.sensors, () => kind === "warmed");
  }
  state.startAt({
    offset: from,
    tick: fits ? row.replayTick : 0,
    receivedUs: fits ? row.replayReceivedUs : 0,
  });
  const producers = chunks.find((c) => c.chunk === PRODUCERS_CHUNK && state.canRead(c));
  return { kind, producers: kind === "warmed" ? producers : undefined };
}

function choose(fits: boolean, row: PartitionRow, oldest: number): RecoveryKind {
  if (fits) return row.replayOffset >= oldest ? "loaded" : "patched";
  return oldest === 0 ? "rebuilt" : "warmed";
}

function firstRecord(kind: RecoveryKind, row: PartitionRow, oldest: number): number {
  if (kind === "loaded") return row.replayOffset;
  if (kind === "rebuilt") return 0;
  // Never later than where the reorder hold must begin.
  if (kind === "warmed") return Math.max(oldest, Math.min(row.replayOffset, row.nextOffset - WARM_UP_RECORDS));
  return oldest;
}

/**
 * After a recovery that is not to the bit: what has been stored counts as known, whether it was read again or not. Senders' windows
 * of before are added to those that the records read again gave.
 */
export async function catchUp(
  state: PartitionState,
  partition: number,
  { kind, producers }: Recovery,
  store: Store,
  logger: Logger,
): Promise<void> {
  const { sensors } = state;
  for (const n of await store.readNewest(partition)) {
    const slot = sensors.find(n.sensorId);
    if (slot === undefined || n.lastUs < sensors.lastUs[slot]!) continue;
    sensors.lastUs[slot] = n.lastUs;
    sensors.lastValue[slot] = n.lastValue;
    sensors.lastId[slot] = n.lastId;
  }
  if (producers !== undefined) state.load(producers);
  const lost = sensors.stillWaited;
  if (kind === "patched" && lost > 0) {
    logger.error(
      { partition, readings: lost },
      "readings that waited in the reorder hold are lost with the log's records",
    );
  }
}

function versions(chunks: readonly StateChunk[]): string[] {
  return [...new Set(chunks.map((c) => c.version))];
}

function tell(logger: Logger, kind: RecoveryKind, facts: object, wanted: string): void {
  if (kind === "loaded") return;
  const meaning = {
    rebuilt: "saved state is of another version: rebuilding it from the whole log",
    warmed:
      "saved state is of another version and the log no longer begins at its first record: detectors begin anew and learn from " +
      "what the log still has; sensors with less than that start cold. No reading is lost, none is stored twice",
    patched:
      "the log has lost records that the saved state does not have yet: their readings are stored and scored, and will not have " +
      "been learnt. No reading is lost; of batches resent from then, readings without a time of their own are stored once more",
  }[kind];
  logger.warn({ ...facts, wanted, recovery: kind }, meaning);
}

function lostRecords(partition: number, next: number, oldest: number): TelltaleError {
  return new TelltaleError(
    "conflict",
    `The store wants partition ${partition} of the log from offset ${next} on, but the log begins at ${oldest}: records that were ` +
      "never stored are gone. Store and log are not of the same age, or the log's retention was shorter than the store was behind. " +
      "Restore them from the same backup.",
  );
}
