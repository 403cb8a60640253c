/** How a sensor is, by its open alerts and its newest reading. Numbers as in the contract's SensorState. */
const STATE_ALERTING = 1;
const STATE_STALE = 2;
const STATE_OK = 3;
const STATE_RETIRED = 4;
export const STATE_NAMES: readonly string[] = ["", "alerting", "stale", "ok", "retired"];

/** A sensor whose newest reading was observed this long ago or longer is stale. The contract states it. */
export const STALE_AFTER_US = 3_600_000_000;

/** As the store names the alert of a sensor that stopped reporting. */
export const SILENCE = "silence";

/** Which alerts of a sensor are open. */
export const OPEN_NONE = 0;
/** Silence and no other. */
export const OPEN_SILENCE = 1;
export const OPEN_ABNORMAL = 2;

/** Of a sensor's open alerts. */
export interface OpenAlerts {
  readonly count: number;
  /** As in the contract's Severity; 0 where there is none. */
  readonly worst: number;
  readonly kind: number;
}

export const NO_ALERTS: OpenAlerts = { count: 0, worst: 0, kind: OPEN_NONE };

export function withAlert({ count, worst, kind }: OpenAlerts, severity: number, type: string): OpenAlerts {
  const own = type === SILENCE ? OPEN_SILENCE : OPEN_ABNORMAL;
  return { count: count + 1, worst: Math.max(worst, severity), kind: Math.max(kind, own) };
}

/**
 * @param kind of its open alerts
 * @param lastUs of the newest reading; −1 where there is none
 */
export function stateOf(of: { kind: number; lastUs: number; retired: boolean }, nowUs: number): number {
  const { kind, lastUs, retired } = of;
  if (retired) return STATE_RETIRED;
  if (kind === OPEN_ABNORMAL) return STATE_ALERTING;
  return kind === OPEN_SILENCE || lastUs <= nowUs - STALE_AFTER_US ? STATE_STALE : STATE_OK;
}

/** Numbers of sensors by state; the total is without retired ones. */
export interface StateCounts {
  total: number;
  alerting: number;
  stale: number;
  ok: number;
  retired: number;
}

export function noCounts(): StateCounts {
  return { total: 0, alerting: 0, stale: 0, ok: 0, retired: 0 };
}

export function countState(counts: StateCounts, state: number, times = 1): void {
  if (state === STATE_RETIRED) {
    counts.retired += times;
    return;
  }
  counts.total += times;
  if (state === STATE_ALERTING) counts.alerting += times;
  else if (state === STATE_STALE) counts.stale += times;
  else counts.ok += times;
}
