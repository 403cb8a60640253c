import { firstTick, idOf, tickOfId } from "../log/id-clock.ts";
import type { LoggedRecord, LoggedRun } from "../log/record/decode.ts";
import { readInt64 } from "../log/record/decode.ts";
import { MARK_LATE, MARK_SERVER_TIME } from "../store/points.ts";
import type { LateReading } from "./late.ts";
import { compare, type OpenOutcome, openOutcome } from "./open-outcome.ts";
import type { SetAside } from "./quarantine.ts";
import type { BufferedReading } from "./reorder-buffer.ts";
import type { Resent } from "./resent.ts";
import type { Rows } from "./rows.ts";
import type { ReplayPoint, Series } from "./sensors.ts";
import type { PartitionState } from "./state.ts";

/** Notes the readings of the run that are set aside; answers with their number. */
function leave(run: LoggedRun, outcome: OpenOutcome, setAside: SetAside): number {
  let left = 0;
  for (let i = run.firstIndex; i < run.firstIndex + run.count; i++) {
    if (!setAside.has(outcome.place, i)) continue;
    outcome.setAside.push(i);
    left++;
  }
  return left;
}

/** What the readings of a run of records have become. */
export interface Sorted {
  /** Readings that are new, to be scored. */
  readonly rows: Rows;
  /** Readings behind their sensor's newest: only the store knows whether they are new. */
  readonly late: LateReading[];
  /** Batches that came before. */
  readonly resent: Resent[];
}

/**
 * A reading without a time is put behind its sensor's newest where that is ahead of the record's arrival by less than this: what a
 * clock may be ahead by default, in microseconds. Not the setting itself: what decides a result is in the log or fixed.
 */
const MAX_AHEAD_US = 300_000_000;
/** The wall clock has milliseconds: the place in the log tells readings of one of them apart. */
const CLOCK_STEP_US = 1000;

/** Sorts readings into rows to score, late ones to place, and those that change nothing. */
export class Sorter {
  readonly #state: PartitionState;
  readonly #partition: number;

  constructor(state: PartitionState, partition: number) {
    this.#state = state;
    this.#partition = partition;
  }

  /** Answers with the outcomes of the record's fragments; those of late and of buffered readings are still to come. */
  take(record: LoggedRecord, offset: number, to: Sorted): OpenOutcome[] {
    const state = this.#state;
    // Where a rebuilding began in the middle of the log, the id clock is known from here on.
    if (state.rebuilding && offset >= state.row.replayOffset) state.tick = Math.max(state.tick, state.row.replayTick);
    const before = state.at(offset);
    state.receivedUs = Math.max(state.receivedUs, record.receivedAtUs);
    let tick = firstTick(state.tick, state.receivedUs);
    state.tick = tick + record.readings;
    state.next = offset + 1;
    state.sensors.at = offset;
    for (const h of state.buffer.release(nowUs(record, state))) this.#takeBuffered(h, before, to);
    const outcomes: OpenOutcome[] = [];
    const setAside = state.quarantine.of(offset);
    for (const [place, fragment] of record.fragments.entries()) {
      const outcome = openOutcome(fragment, offset, place);
      outcomes.push(outcome);
      const firstOfFragment = tick;
      tick += fragment.readings;
      if (this.#seen(outcome, before, place)) {
        to.resent.push({ record, outcome });
        continue;
      }
      let t = firstOfFragment;
      for (const run of fragment.runs) {
        this.#takeRun(record, run, t, before, outcome, to, setAside);
        t += run.count;
      }
    }
    return outcomes;
  }

  /** Whether the sender's batch came before; its outcome is then that of its first copy. */
  #seen(outcome: OpenOutcome, before: ReplayPoint, place: number): boolean {
    const { producer, epoch, sequence, readings } = outcome.fragment;
    if (sequence <= 0 || producer === "") return false;
    const state = this.#state;
    state.touchProducers(before);
    const at = { offset: before.offset, place, receivedUs: state.receivedUs };
    const verdict = state.producers.see(producer, epoch, sequence, at, state.row.replayOffset, outcome.tally);
    if (verdict.kind === "new") return false;
    const forgotten = { accepted: 0, duplicate: readings, conflicting: 0, late: 0, buffered: 0 };
    outcome.tally = verdict.tally ?? forgotten;
    return true;
  }

  #takeRun(
    record: LoggedRecord,
    run: LoggedRun,
    tick: number,
    before: ReplayPoint,
    outcome: OpenOutcome,
    to: Sorted,
    setAside: SetAside | undefined,
  ): void {
    const state = this.#state;
    const left = setAside === undefined ? 0 : leave(run, outcome, setAside);
    // A sensor of which nothing else is known is not met.
    if (left === run.count) return;
    const series = state.series.get(run.key) ?? state.series.meet(run.key);
    const { attributes } = run;
    if (attributes !== undefined) {
      const sinceUs = run.timesAt >= 0 ? readInt64(record.view, run.timesAt) : record.receivedAtUs;
      to.rows.attributes.push({ sensorId: series.sensorId, sinceUs, attributes });
    }
    const { slot } = series;
    const known = state.has(slot, before.offset);
    const waited = known ? state.sensors.waited(slot) : undefined;
    if (known && waited === undefined) {
      // In the state already; whoever sends them again hears that they are stored.
      outcome.tally.duplicate += run.count - left;
      return;
    }
    if (!known) state.sensors.touch(slot, before);
    const { view } = record;
    // The partition's time never goes back, as a clock may: a reading without a time is of when its own record was received.
    const arrivedUs = record.receivedAtUs;
    const timed = run.timesAt >= 0;
    const bufferUs = state.settings.bufferUs(series.sensorType, series.sensorId);
    for (let i = 0; i < run.count; i++) {
      if (left > 0 && setAside!.has(outcome.place, run.firstIndex + i)) continue;
      const value = view.getFloat64(run.valuesAt + 8 * i, true);
      const timeUs = timed ? readInt64(view, run.timesAt + 8 * i) : Number.NaN;
      const id = idOf(tick + i, this.#partition);
      if (waited !== undefined) {
        if (!waited.delete(id)) {
          outcome.tally.duplicate++;
          continue;
        }
        state.sensors.touch(slot, before);
      }
      const struct = run.metadata?.get(i);
      const index = run.firstIndex + i;
      if (bufferUs > 0) {
        outcome.tally.buffered++;
        const dueUs = nowUs(record, state) + bufferUs;
        const buffered = {
          series,
          timeUs,
          value,
          id,
          index,
          outcome,
          struct,
          receivedUs: arrivedUs,
          dueUs,
          at: before,
        };
        state.buffer.add(buffered);
      } else this.#place(series, timeUs, arrivedUs, value, id, index, struct, outcome, to);
    }
  }

  #takeBuffered(h: BufferedReading, at: ReplayPoint, to: Sorted): void {
    this.#state.sensors.touch(h.series.slot, at);
    h.outcome.tally.buffered--;
    this.#place(h.series, h.timeUs, h.receivedUs, h.value, h.id, h.index, h.struct, h.outcome, to);
  }

  /** One reading: new, known, or late. A `timeUs` of NaN stands for the server's time, distinct from the one before. */
  #place(
    series: Series,
    timeUs: number,
    arrivedUs: number,
    value: number,
    id: number,
    index: number,
    struct: Uint8Array | undefined,
    outcome: OpenOutcome,
    { rows, late }: Sorted,
  ): void {
    const { lastUs, lastValue, lastId } = this.#state.sensors;
    const { slot } = series;
    const last = lastUs[slot]!;
    const mark = Number.isNaN(timeUs) ? MARK_SERVER_TIME : 0;
    const t = mark === 0 ? timeUs : serverTime(arrivedUs, last, id);
    if (t > last) {
      const row = rows.add(series, t, value, id, mark);
      lastUs[slot] = t;
      lastValue[slot] = value;
      lastId[slot] = id;
      rows.from(row, outcome, index);
      outcome.tally.accepted++;
      if (struct !== undefined) rows.metadata.set(row, struct);
      if (outcome.fragment.traceparent !== "") rows.traces.set(row, outcome.fragment.traceparent);
      if (outcome.fragment.echo) outcome.echo.push({ row, index });
    } else if (t === last) compare(outcome, index, t, value, lastValue[slot]!);
    else late.push({ series, timeUs: t, value, id, index, outcome, struct, mark: mark | MARK_LATE });
  }
}

/**
 * The time by which buffered readings wait. Writers' clocks differ by a little, and so it does not go back; where a clock was far ahead,
 * nobody waits for it to be right again.
 */
function nowUs(record: LoggedRecord, state: PartitionState): number {
  return state.receivedUs - record.receivedAtUs < MAX_AHEAD_US ? state.receivedUs : record.receivedAtUs;
}

/**
 * The time of a reading that came without one: when it arrived, and distinct from the sensor's newest. Where the newest is from a clock
 * that was far ahead, the reading keeps its true time and is late.
 */
function serverTime(arrivedUs: number, lastUs: number, id: number): number {
  if (lastUs < arrivedUs) return arrivedUs;
  if (lastUs - arrivedUs < MAX_AHEAD_US) return lastUs + 1;
  return arrivedUs + (tickOfId(id) % CLOCK_STEP_US);
}
