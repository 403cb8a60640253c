import { fromBinary } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { TelltaleError } from "../errors.ts";
import type { PartitionRow, StateChunk, Store } from "../store/store.ts";
import { restoreSetting } from "./controls.ts";
import { restoreDeletions } from "./life-cycle.ts";
import { scopeOf } from "./scope.ts";
import { type PartitionState, PRODUCERS_CHUNK } from "./state.ts";

/**
 * How a partition's state is brought up to the store's offset:
 * - "loaded": from the saved state and the records since. Bit-identical.
 * - "rebuilt": the saved state is of another version and the log has every record: all are read again. Bit-identical to what this version
 *   would have had all along.
 * - "migrated": the saved state is of a former version that this one reads, and the log has lost its oldest records: what had been
 *   learnt goes on under this version's rules.
 * - "warmed": the saved state is of another version and the log has lost its oldest records. Detectors start over with the newest of
 *   what is left; what deduplication needs comes from the store.
 * - "patched": the saved state fits, but the log has lost records that were stored after it was saved. They are not learnt.
 */
export type RecoveryKind = "loaded" | "rebuilt" | "migrated" | "warmed" | "patched";

export interface Recovery {
  readonly kind: RecoveryKind;
  /** The first record that is read again. */
  readonly from: number;
  /** The senders' windows, where they are to be added at the end. */
  readonly producers: StateChunk | undefined;
}

/**
 * Records that warm up detectors where not all can be read again: hundreds of readings a sensor at most rates, read in about a
 * minute. All of a long log could take hours, in which the partition stands still.
 */
const WARM_UP_RECORDS = 100_000;

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
  const chunks = await store.readChunkVersions(partition);
  const fits = chunks.every((c) => state.canRead(c));
  const former = !fits && chunks.every((c) => state.canRead(c) || state.canMigrate(c));
  const kind = choose(fits, former, row, oldest);
  const from = firstRecord(kind, row, oldest);
  tell(logger, kind, { partition, from, oldest, stored: row.nextOffset, found: versions(chunks) }, state.version);
  const loads = fits || kind === "migrated";
  const series = await store.readSeries(partition);
  // A sensor has one series, as a rule.
  state.sensors.detector.reserve(series.length);
  let producers: StateChunk | undefined;
  if (loads || kind === "warmed") {
    for await (const c of store.readChunks(partition)) {
      if (loads) state.load(c);
      else if (c.chunk === PRODUCERS_CHUNK && state.canRead(c)) producers = c;
    }
  }
  const controls = (await store.readSettings(partition, from)).map((logged) => ({
    ...logged,
    control: fromBinary(ControlSchema, logged.control),
  }));
  // First of all: whose a series is, and a slot, depends on it.
  for (const { control, ...at } of controls) restoreDeletions(control, at, state.sensors);
  if (kind === "warmed") state.series.adopt(series);
  else for (const s of series) state.series.known(s);
  state.quarantine.load(await store.readQuarantined(partition, from));
  for (const { control, ...at } of controls) {
    // What it did to sensors is in the chunks, where there are any.
    const scope = { ...scopeOf(state), ...at, live: false, change: () => kind === "warmed" };
    restoreSetting(control, scope);
  }
  state.startAt({
    offset: from,
    tick: loads ? row.replayTick : 0,
    receivedUs: loads ? row.replayReceivedUs : 0,
    // Of a row of a former version it is not known: of a log that ran, a time record is no older than a second.
    tickedUs: loads ? (row.replayTickedUs ?? row.replayReceivedUs) : 0,
  });
  return { kind, from, producers };
}

function choose(fits: boolean, former: boolean, row: PartitionRow, oldest: number): RecoveryKind {
  if (fits) return row.replayOffset >= oldest ? "loaded" : "patched";
  if (oldest === 0) return "rebuilt";
  return former && row.replayOffset >= oldest ? "migrated" : "warmed";
}

function firstRecord(kind: RecoveryKind, row: PartitionRow, oldest: number): number {
  if (kind === "loaded" || kind === "migrated") return row.replayOffset;
  if (kind === "rebuilt") return 0;
  // Never later than where the reorder buffer must begin.
  if (kind === "warmed") return Math.max(oldest, Math.min(row.replayOffset, row.nextOffset - WARM_UP_RECORDS));
  return oldest;
}

/**
 * Whether stored readings may be missing from the state when the store's offset is reached: records of before were not read again, or
 * were set aside since. A newer program may fail at what a former one has scored and stored.
 */
export function fallsBehind(state: PartitionState, { kind, from }: Recovery): boolean {
  if (kind === "warmed" || kind === "patched") return true;
  return state.quarantine.hasBetween(from, state.row.nextOffset);
}

/**
 * What has been stored counts as known, whether it was read again or not. Senders' windows of before are added to those that the records
 * read again gave. Answers whether the state was behind: it is to be saved before the first commit, so that the next owner is not.
 */
export async function catchUp(
  state: PartitionState,
  partition: number,
  { kind, producers }: Recovery,
  store: Store,
  logger: Logger,
): Promise<boolean> {
  const { sensors } = state;
  const newest = await store.readNewest(partition);
  // Sensors of which no record was read start cold, and what they have stored is known.
  state.series.meetStored(new Set(newest.map((n) => n.sensorId)));
  const behind = newest.filter((n) => sensors.knowNewest(n));
  if (producers !== undefined) state.load(producers);
  const lost = sensors.stillWaited;
  if (kind === "patched" && lost > 0) {
    logger.error(
      { partition, readings: lost },
      "readings that waited in the reorder buffer are lost with the log's records",
    );
  }
  return behind.length > 0;
}

function versions(chunks: readonly Pick<StateChunk, "version">[]): string[] {
  return [...new Set(chunks.map((c) => c.version))];
}

function tell(logger: Logger, kind: RecoveryKind, facts: object, wanted: string): void {
  if (kind === "loaded") return;
  const meaning = {
    rebuilt: "saved state is of another version: rebuilding it from the whole log",
    migrated:
      "saved state is of a former version and the log no longer begins at its first record: what was learnt continues under this " +
      "version's rules. No reading is lost, none is stored twice",
    warmed:
      "saved state is of another version and the log no longer begins at its first record: detectors start over and learn from " +
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
