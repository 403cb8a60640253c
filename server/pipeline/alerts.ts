import { create, toBinary } from "@bufbuild/protobuf";
import { AlertState } from "../../gen/es/telltale/v1/alert_pb.ts";
import type { Control } from "../../gen/es/telltale/v1/log_pb.ts";
import { AlertEventSchema, AlertEventType } from "../../gen/es/telltale/v1/watch_pb.ts";
import { alertMessage, REASONS } from "../detect/index.ts";
import type { AlertEventRow, AlertRow, Store } from "../store/store.ts";
import { toAlert } from "./alert.ts";
import type { Rows } from "./rows.ts";
import type { Series } from "./sensors.ts";
import type { PartitionState } from "./state.ts";

/** What a run changes: alerts by id as they are afterwards, and their transitions, numbered within the partition (the outbox). */
export class AlertChanges {
  readonly alerts = new Map<number, AlertRow>();
  readonly events: AlertEventRow[] = [];
  readonly #partition: number;
  readonly #firstNumber: number;

  constructor(partition: number, firstNumber: number) {
    this.#partition = partition;
    this.#firstNumber = firstNumber;
  }

  /** @param traceparent of the batch whose reading it was */
  change(alert: AlertRow, transition?: AlertEventType, traceparent = ""): void {
    this.alerts.set(alert.id, alert);
    if (transition === undefined) return;
    const number = this.#firstNumber + this.events.length;
    const event = create(AlertEventSchema, {
      id: `${this.#partition}-${number}`,
      type: transition,
      alert: toAlert(alert),
      partition: this.#partition,
      number: BigInt(number),
      traceparent,
    });
    this.events.push({ number, alertId: alert.id, event: toBinary(AlertEventSchema, event) });
  }
}

const TRANSITIONS = {
  opened: AlertEventType.OPENED,
  raised: AlertEventType.RAISED,
  recovered: AlertEventType.RECOVERED,
  continued: undefined,
} as const;

/** From the sensors' episodes to stored alerts. */
export class Alerts {
  readonly #state: PartitionState;
  /** Alerts that are open, by slot, as the store will have them. */
  readonly #open = new Map<number, AlertRow>();

  constructor(state: PartitionState) {
    this.#state = state;
  }

  /** Finds the stored form of the episodes that are open. */
  async load(store: Pick<Store, "readAlerts">): Promise<void> {
    const slots = new Map([...this.#openSlots()].map((slot) => [this.#state.sensors.episodes.get(slot)!.id, slot]));
    for (const row of await store.readAlerts([...slots.keys()])) this.#open.set(slots.get(row.id)!, row);
  }

  *#openSlots(): Generator<number> {
    const { ids, episodes } = this.#state.sensors;
    for (let slot = 0; slot < ids.length; slot++) if (episodes.isOpen(slot)) yield slot;
  }

  /**
   * After a recovery that is not that of the saved state: what is past stays as it was decided then, and what is open is what the
   * new state says. `stored` are the alerts that the store has open.
   */
  reconcile(stored: readonly AlertRow[], changes: AlertChanges): void {
    const { sensors, series, receivedUs } = this.#state;
    const open = new Set([...this.#open.values()].map(({ id }) => id));
    for (const row of stored) {
      if (open.has(row.id)) continue;
      const closed = { ...row, state: AlertState.RECOVERED, closedUs: Math.max(receivedUs, row.openedUs) };
      changes.change(closed, AlertEventType.RECOVERED);
    }
    for (const slot of [...this.#openSlots()]) {
      const known = this.#open.get(slot);
      if (known?.state === AlertState.OPEN) continue;
      if (known !== undefined) {
        // Over already, for whoever decided then.
        sensors.episodes.resolve(slot, known.id, receivedUs);
        this.#open.delete(slot);
        continue;
      }
      const row = this.#row(slot, series.ofSlot(slot).at(-1)!);
      this.#open.set(slot, row);
      changes.change(row, AlertEventType.OPENED);
    }
  }

  /** Takes the scored rows. */
  observe(rows: Rows, changes: AlertChanges): void {
    const { batch, points } = rows;
    const { episodes } = this.#state.sensors;
    for (let i = 0; i < points.length; i++) {
      const slot = batch.slot[i]!;
      const transition = episodes.observe(batch, i, points.id[i]!);
      if (transition === "none") continue;
      const row = this.#row(slot, rows.series[i]!);
      changes.change(row, TRANSITIONS[transition], rows.traces.get(i));
      if (transition === "recovered") this.#open.delete(slot);
      else this.#open.set(slot, row);
    }
  }

  /** The slots have become silent. */
  silent(slots: readonly number[], changes: AlertChanges): void {
    for (const slot of slots) {
      const row = this.#row(slot, this.#state.series.ofSlot(slot).at(-1)!);
      this.#open.set(slot, row);
      changes.change(row, AlertEventType.OPENED);
    }
  }

  /** The slot's episode in the form of the store. */
  #row(slot: number, series: Series): AlertRow {
    const { episodes, detector } = this.#state.sensors;
    const e = episodes.get(slot)!;
    const before = this.#open.get(slot);
    const kept = before?.id === e.id ? before : undefined;
    const known = Number.isFinite(e.expected) && Number.isFinite(e.band);
    const number = (x: number) => (Number.isFinite(x) ? x : null);
    return {
      id: e.id,
      sensorId: series.sensorId,
      sensorType: series.sensorType,
      alertType: REASONS[e.openingReason] === "silence" ? "silence" : "anomaly_detection",
      severity: e.severity,
      message: alertMessage({
        score: e.peakScore,
        value: e.peakValue,
        unit: series.unit,
        expected: e.expected,
        band: e.band,
        reason: e.reason,
      }),
      score: e.peakScore / 10000,
      value: number(e.peakValue) ?? 0,
      threshold: known ? (e.peakValue >= e.expected ? e.expected + e.band : e.expected - e.band) : null,
      openedUs: e.openedAtUs,
      lastSeenUs: e.lastSeenAtUs,
      closedUs: number(e.closedAtUs),
      acknowledgedUs: kept?.acknowledgedUs ?? null,
      acknowledgedBy: kept?.acknowledgedBy ?? "",
      resolvedBy: kept?.resolvedBy ?? "",
      state:
        e.state === "open" ? AlertState.OPEN : e.state === "recovered" ? AlertState.RECOVERED : AlertState.RESOLVED,
      readings: e.count,
      detector: REASONS[e.openingReason] ?? "",
      confidence: e.peakConfidence / 10000,
      expected: number(e.expected),
      modelVersion: kept?.modelVersion ?? detector.modelVersion,
    };
  }

  /** Applies what a person did to the sensor's episode; answers with the slot it closed or marked, if it changed anything. */
  apply({ action }: Control, offset: number): number | undefined {
    if (action.case !== "acknowledge" && action.case !== "resolve") return undefined;
    const state = this.#state;
    const { sensors, receivedUs } = state;
    const slot = sensors.find(action.value.sensorId);
    if (slot === undefined || state.has(slot, offset)) return undefined;
    sensors.touch(slot, state.at(offset));
    const id = Number(action.value.alertId);
    const { episodes } = sensors;
    const done =
      action.case === "resolve" ? episodes.resolve(slot, id, receivedUs) : episodes.acknowledge(slot, id, receivedUs);
    return done ? slot : undefined;
  }

  /** The same, with what the store is to have of it. `stored` reads an alert once everything before is in. */
  async control(
    control: Control,
    offset: number,
    changes: AlertChanges,
    stored: (id: number) => Promise<AlertRow | undefined>,
  ): Promise<void> {
    const { action, principal } = control;
    if (action.case !== "acknowledge" && action.case !== "resolve") return;
    const { receivedUs } = this.#state;
    const id = Number(action.value.alertId);
    const slot = this.apply(control, offset);
    const open = slot === undefined ? undefined : this.#open.get(slot);
    if (slot !== undefined && open !== undefined) {
      if (action.case === "resolve") {
        const row = { ...open, state: AlertState.RESOLVED, closedUs: receivedUs, resolvedBy: principal };
        this.#open.delete(slot);
        changes.change(row, AlertEventType.RESOLVED);
      } else {
        const row = { ...open, acknowledgedUs: receivedUs, acknowledgedBy: principal };
        this.#open.set(slot, row);
        changes.change(row, AlertEventType.ACKNOWLEDGED);
      }
      return;
    }
    // An episode that is over may still be acknowledged, once; resolving it again changes nothing.
    if (action.case !== "acknowledge") return;
    const before = changes.alerts.get(id) ?? (await stored(id));
    if (before === undefined || before.acknowledgedUs !== null) return;
    changes.change({ ...before, acknowledgedUs: receivedUs, acknowledgedBy: principal }, AlertEventType.ACKNOWLEDGED);
  }
}
