import type { LoggedRecord, LoggedRun } from "../record/decode.ts";
import { readInt64 } from "../record/decode.ts";
import { MARK_SERVER_TIME } from "../store/points.ts";
import type { Held } from "./hold.ts";
import { firstTick, idOf } from "./ids.ts";
import type { LateReading } from "./late.ts";
import { compare, type OpenOutcome, openOutcome } from "./open-outcome.ts";
import type { Rows } from "./rows.ts";
import type { ReplayPoint, Series } from "./sensors.ts";
import type { PartitionState } from "./state.ts";

/** What the readings of a run of records have become. */
export interface Sorted {
  /** Readings that are new, to be scored. */
  readonly rows: Rows;
  /** Readings behind their sensor's newest: only the store knows whether they are new. */
  readonly late: LateReading[];
}

/** Sorts readings into rows to score, late ones to place, and those that change nothing. */
export class Sorter {
  readonly #state: PartitionState;
  readonly #partition: number;

  constructor(state: PartitionState, partition: number) {
    this.#state = state;
    this.#partition = partition;
  }

  /** Answers with the outcomes of the record's fragments; those of late and of held readings are still to come. */
  take(record: LoggedRecord, offset: number, to: Sorted): OpenOutcome[] {
    const state = this.#state;
    // Where a rebuilding began in the middle of the log, the id clock is known from here on.
    if (state.rebuilding && offset >= state.row.replayOffset) state.tick = Math.max(state.tick, state.row.replayTick);
    const before = state.at(offset);
    state.receivedUs = Math.max(state.receivedUs, record.receivedAtUs);
    let tick = firstTick(state.tick, state.receivedUs);
    state.tick = tick + record.readings;
    state.next = offset + 1;
    for (const h of state.hold.release(state.receivedUs)) this.#takeHeld(h, before, to);
    const outcomes: OpenOutcome[] = [];
    for (const [place, fragment] of record.fragments.entries()) {
      const outcome = openOutcome(fragment);
      outcomes.push(outcome);
      const firstOfFragment = tick;
      tick += fragment.readings;
      if (this.#seen(outcome, before, place)) continue;
      let t = firstOfFragment;
      for (const run of fragment.runs) {
        this.#takeRun(record, run, t, before, outcome, to);
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
    const forgotten = { accepted: 0, duplicate: readings, conflicting: 0, late: 0, held: 0 };
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
  ): void {
    const state = this.#state;
    const series = state.series.get(run.key) ?? state.series.meet(run.key);
    const { slot } = series;
    const known = state.has(slot, before.offset);
    const waited = known ? state.sensors.waited(slot) : undefined;
    if (known && waited === undefined) {
      // In the state already; whoever sends them again hears that they are stored.
      outcome.tally.duplicate += run.count;
      return;
    }
    if (!known) state.sensors.touch(slot, before);
    const { view } = record;
    const { receivedUs } = state;
    const timed = run.timesAt >= 0;
    const holdUs = state.settings.holdUs(series.sensorType);
    for (let i = 0; i < run.count; i++) {
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
      if (holdUs > 0) {
        outcome.tally.held++;
        const dueUs = receivedUs + holdUs;
        state.hold.add({ series, timeUs, value, id, index, outcome, struct, receivedUs, dueUs, at: before });
      } else this.#place(series, timeUs, receivedUs, value, id, index, struct, outcome, to);
    }
  }

  #takeHeld(h: Held, at: ReplayPoint, to: Sorted): void {
    this.#state.sensors.touch(h.series.slot, at);
    h.outcome.tally.held--;
    this.#place(h.series, h.timeUs, h.receivedUs, h.value, h.id, h.index, h.struct, h.outcome, to);
  }

  /** One reading: new, known, or late. A `timeUs` of NaN stands for the server's time, distinct from the one before. */
  #place(
    series: Series,
    timeUs: number,
    receivedUs: number,
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
    const t = Number.isNaN(timeUs) ? Math.max(receivedUs, last + 1) : timeUs;
    if (t > last) {
      const row = rows.add(series, t, value, id, t === timeUs ? 0 : MARK_SERVER_TIME);
      lastUs[slot] = t;
      lastValue[slot] = value;
      lastId[slot] = id;
      outcome.tally.accepted++;
      if (struct !== undefined) rows.metadata.set(row, struct);
      if (outcome.fragment.traceparent !== "") rows.traces.set(row, outcome.fragment.traceparent);
      if (outcome.fragment.echo) outcome.echo.push({ row, index });
    } else if (t === last) compare(outcome, index, series.sensorId, t, value, lastValue[slot]!);
    else late.push({ series, timeUs: t, value, id, index, outcome, struct });
  }
}
