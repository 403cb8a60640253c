import { create, toBinary } from "@bufbuild/protobuf";
import { AlertState } from "../../gen/es/telltale/v1/alert_pb.ts";
import { AlertEventSchema, AlertEventType } from "../../gen/es/telltale/v1/watch_pb.ts";
import {
  alertMessage,
  type Episode,
  REASON_LIMIT_AHEAD,
  REASON_SILENCE,
  REASONS,
  renamedMessage,
} from "../detect/index.ts";
import type { AlertEventRow, AlertRow, Store } from "../store/store.ts";
import { toAlert } from "./alert.ts";
import type { Rows } from "./rows.ts";
import type { Series } from "./sensors.ts";
import { Shown } from "./shown.ts";
import type { PartitionState } from "./state.ts";

/**
 * What a run changes: alerts by id as they are afterwards, and their transitions, numbered within the partition (the outbox). Alerts are of
 * sensors by their keys, as the store takes them; transitions, which others hear of, by the ids that are shown.
 */
export class AlertChanges {
  readonly alerts = new Map<number, AlertRow>();
  readonly events: AlertEventRow[] = [];
  readonly #partition: number;
  readonly #firstNumber: number;
  readonly #shown: Shown;

  constructor(partition: number, firstNumber: number, shown: Shown = new Shown()) {
    this.#shown = shown;
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
      alert: toAlert({ ...alert, sensorId: this.#shown.of(alert.sensorId) }),
      partition: this.#partition,
      number: BigInt(number),
      traceparent,
    });
    this.events.push({ number, alertId: alert.id, event: toBinary(AlertEventSchema, event) });
  }
}

/** Kinds of alerts besides those of abnormal readings, by the detector that opened them. */
const ALERT_TYPES: Readonly<Record<number, string>> = {
  [REASON_SILENCE]: "silence",
  [REASON_LIMIT_AHEAD]: "limit_forecast",
};

const TRANSITIONS = {
  opened: AlertEventType.OPENED,
  raised: AlertEventType.RAISED,
  recovered: AlertEventType.RECOVERED,
  continued: undefined,
} as const;

/** As the store will have it, and what its message calls the sensor. */
interface OpenAlert {
  readonly row: AlertRow;
  readonly name: string;
}

/** From the sensors' episodes to stored alerts. */
export class Alerts {
  readonly #state: PartitionState;
  /** Alerts that are open, by their id. */
  readonly #open = new Map<number, OpenAlert>();

  constructor(state: PartitionState) {
    this.#state = state;
  }

  /** Finds the stored form of the episodes that are open. */
  async load(store: Pick<Store, "readAlerts">): Promise<void> {
    const ids = [...this.#openEpisodes()].map(({ episode }) => episode.id);
    for (const row of await store.readAlerts(ids)) this.#keep(row);
  }

  #keep(row: AlertRow): void {
    this.#open.set(row.id, { row, name: this.#state.shown.of(row.sensorId) });
  }

  /** An open alert as it is told now: its sensor may have been renamed since. */
  #told(id: number): AlertRow | undefined {
    const open = this.#open.get(id);
    if (open === undefined) return undefined;
    const { row, name } = open;
    const now = this.#state.shown.of(row.sensorId);
    return now === name ? row : { ...row, message: renamedMessage(row.message, row.sensorType, name, now) };
  }

  *#openEpisodes(): Generator<{ slot: number; episode: Episode }> {
    const { ids, episodes } = this.#state.sensors;
    for (let slot = 0; slot < ids.length; slot++) for (const episode of episodes.open(slot)) yield { slot, episode };
  }

  /**
   * After a recovery that is not that of the saved state: what is past stays as it was decided then, and what is open is what the
   * new state says. `stored` are the alerts that the store has open.
   */
  reconcile(stored: readonly AlertRow[], changes: AlertChanges): void {
    const { sensors, series, receivedUs } = this.#state;
    for (const row of stored) {
      if (this.#open.has(row.id)) continue;
      const closed = { ...row, state: AlertState.RECOVERED, closedUs: Math.max(receivedUs, row.openedUs) };
      changes.change(closed, AlertEventType.RECOVERED);
    }
    for (const { slot, episode } of [...this.#openEpisodes()]) {
      const known = this.#open.get(episode.id)?.row;
      if (known?.state === AlertState.OPEN) continue;
      if (known !== undefined) {
        // Over already, for whoever decided then.
        sensors.episodes.resolve(slot, known.id, receivedUs);
        this.#open.delete(known.id);
        continue;
      }
      this.#change(episode, series.ofSlot(slot).at(-1)!, changes, AlertEventType.OPENED);
    }
  }

  /** Takes the scored rows. */
  observe(rows: Rows, changes: AlertChanges): void {
    const { batch, points } = rows;
    const { episodes } = this.#state.sensors;
    for (let i = 0; i < points.length; i++) {
      const slot = batch.slot[i]!;
      const id = points.id[i]!;
      const returned = this.#state.returned(slot, id);
      const transition = this.#state.observe(batch, i, id, returned);
      const { earlyEnded } = this.#state;
      if (!returned && transition === "none" && earlyEnded.length === 0) continue;
      const series = rows.series[i]!;
      const trace = rows.traces.get(i);
      if (returned) this.#change(episodes.silence(slot)!, series, changes, AlertEventType.RECOVERED, trace);
      if (transition !== "none") this.#change(episodes.get(slot)!, series, changes, TRANSITIONS[transition], trace);
      // After the alert of the limit itself, so that their incident goes on.
      for (const ended of earlyEnded) this.#change(ended.episode, series, changes, AlertEventType.RECOVERED, trace);
    }
  }

  /** A tick of the log at the offset: sensors may have become silent, or be heading for a limit. */
  passed(offset: number, changes: AlertChanges): void {
    const { sensors, series } = this.#state;
    const { silent, early } = this.#state.passed(offset);
    for (const slot of silent) {
      this.#change(sensors.episodes.silence(slot)!, series.ofSlot(slot).at(-1)!, changes, AlertEventType.OPENED);
    }
    for (const { slot, episode, transition } of early) {
      this.#change(episode, series.ofSlot(slot).at(-1)!, changes, TRANSITIONS[transition]);
    }
  }

  /** Tells of an episode as it is now. */
  #change(episode: Episode, series: Series, changes: AlertChanges, transition?: AlertEventType, trace?: string): void {
    const row = this.#row(episode, series);
    if (episode.state === "open") this.#keep(row);
    else this.#open.delete(row.id);
    changes.change(row, transition, trace);
  }

  /** An episode in the form of the store. */
  #row(e: Episode, series: Series): AlertRow {
    const { detector } = this.#state.sensors;
    const kept = this.#open.get(e.id)?.row;
    const known = Number.isFinite(e.expected) && Number.isFinite(e.band);
    const number = (x: number) => (Number.isFinite(x) ? x : null);
    return {
      id: e.id,
      sensorId: series.sensorId,
      sensorType: series.sensorType,
      alertType: ALERT_TYPES[e.openingReason] ?? "anomaly_detection",
      severity: e.severity,
      message: messageOf(e, series, this.#state.shown.of(series.sensorId)),
      score: e.peakScore / 10000,
      value: number(e.peakValue) ?? 0,
      threshold: e.limit?.limit ?? (known ? number(boundOf(e)) : null),
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

  /** Somebody resolved an alert that was open. */
  resolved(id: number, principal: string, changes: AlertChanges): void {
    const open = this.#told(id);
    if (open === undefined) return;
    this.#open.delete(id);
    const row = { ...open, state: AlertState.RESOLVED, closedUs: this.#state.receivedUs, resolvedBy: principal };
    changes.change(row, AlertEventType.RESOLVED);
  }

  /** Somebody has retired or deleted the sensors: what is open of them is resolved. */
  closed(sensorIds: ReadonlySet<string>, principal: string, changes: AlertChanges): void {
    for (const { row } of [...this.#open.values()])
      if (sensorIds.has(row.sensorId)) this.resolved(row.id, principal, changes);
  }

  /**
   * Somebody has seen an alert. An episode that is over may still be acknowledged, once. `applied`: it is open and was not
   * acknowledged before.
   */
  async acknowledged(
    id: number,
    by: {
      readonly applied: boolean;
      readonly principal: string;
      readonly stored: (id: number) => Promise<AlertRow | undefined>;
    },
    changes: AlertChanges,
  ): Promise<void> {
    const seen = { acknowledgedUs: this.#state.receivedUs, acknowledgedBy: by.principal };
    const open = by.applied ? this.#told(id) : undefined;
    const before = open ?? changes.alerts.get(id) ?? (await by.stored(id));
    if (before === undefined || (open === undefined && before.acknowledgedUs !== null)) return;
    const row = { ...before, ...seen };
    if (open !== undefined) this.#keep(row);
    changes.change(row, AlertEventType.ACKNOWLEDGED);
  }
}

/** The bound of normal that the value at the peak is nearest to. */
function boundOf({ peakValue, expected, band }: Episode): number {
  return peakValue >= expected ? expected + band : expected - band;
}

function messageOf(e: Episode, { sensorType, unit, location }: Series, sensorId: string): string {
  return alertMessage({
    ...{ sensorId, sensorType, unit, location },
    ...{ score: e.peakScore, severity: e.severity, reason: e.reason, readings: e.count },
    ...{ value: e.peakValue, expected: e.expected, band: e.band },
    sinceUs: Number.isNaN(e.heardAtUs) ? e.openedAtUs : e.heardAtUs,
    recoveredUs: e.state === "recovered" ? e.closedAtUs : Number.NaN,
    ...(e.limit === undefined ? {} : { ahead: { ...e.limit, asOfUs: e.lastSeenAtUs } }),
  });
}
