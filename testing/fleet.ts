/** A small fleet over eight days whose figures are known: seven to compare with, and the day that a report is about. */
import type { Sql } from "postgres";
import type { Given, Stored } from "./stored.ts";

export const hourUs = 3_600_000_000;
export const dayUs = 24 * hourUs;
/** 2026-03-09T00:00:00Z, a Monday. */
export const reportedUs = Date.UTC(2026, 2, 9) * 1_000;
const firstUs = reportedUs - 7 * dayUs;
const everyUs = hourUs / 10;

/** Ten readings an hour from `from` to `to`, one above and one below the level by turns of hours. */
function readings(from: number, to: number, level = 20, stepUs = everyUs): Given[] {
  const all: Given[] = [];
  for (let timeUs = from; timeUs < to; timeUs += stepUs) {
    all.push({
      timeUs,
      value: level + ((timeUs / hourUs) & 1 ? 1 : -1),
      anomaly: level > 20 && timeUs === to - stepUs,
    });
  }
  return all;
}

export const fleet: ReadonlyMap<string, readonly Given[]> = new Map([
  ["steady", readings(firstUs, reportedUs + dayUs)],
  ["drifting", [...readings(firstUs, reportedUs), ...readings(reportedUs, reportedUs + dayUs, 23)]],
  // Six hours are missing.
  ["gap", [...readings(firstUs, reportedUs + 6 * hourUs), ...readings(reportedUs + 12 * hourUs, reportedUs + dayUs)]],
  ["half", [...readings(firstUs, reportedUs), ...readings(reportedUs, reportedUs + dayUs, 20, 2 * everyUs)]],
  ["gone", readings(firstUs, reportedUs - 3 * dayUs)],
  ["new", readings(reportedUs + 12 * hourUs, reportedUs + dayUs)],
  ["seldom", readings(firstUs, reportedUs + dayUs, 20, dayUs)],
]);

/** What the fleet sends on the day itself, and what before. */
export function split(): [Map<string, Given[]>, Map<string, Given[]>] {
  const part = (wanted: (given: Given) => boolean) =>
    new Map([...fleet].map(([id, given]): [string, Given[]] => [id, given.filter(wanted)]));
  // In the middle of an hour, so that one is in the rollups in part.
  const cutUs = reportedUs + 18.5 * hourUs;
  return [part(({ timeUs }) => timeUs < cutUs), part(({ timeUs }) => timeUs >= cutUs)];
}

interface Opened {
  readonly sensorId: string;
  readonly type?: string;
  readonly severity: number;
  readonly openedUs: number;
  readonly closedUs: number | null;
  readonly acknowledgedUs?: number;
}

const minuteUs = 60_000_000;
const at = (hours: number, minutes = 0) => reportedUs + hours * hourUs + minutes * minuteUs;

const alarms: readonly Opened[] = [
  // Twelve within nine minutes, each over in half a minute.
  ...Array.from({ length: 12 }, (_, i) => ({
    sensorId: "half",
    severity: 1,
    openedUs: at(3) + i * 45_000_000,
    closedUs: at(3) + i * 45_000_000 + 30_000_000,
  })),
  { sensorId: "gap", type: "silence", severity: 3, openedUs: at(6, 5), closedUs: at(12), acknowledgedUs: at(6, 15) },
  { sensorId: "drifting", severity: 4, openedUs: at(8), closedUs: at(9), acknowledgedUs: at(8, 20) },
  // Open at the end; the second closes after it.
  { sensorId: "drifting", severity: 2, openedUs: at(23), closedUs: null },
  { sensorId: "steady", severity: 1, openedUs: at(22), closedUs: at(25) },
  // Of the days before: stale, over within the day, and over before it.
  { sensorId: "gone", type: "silence", severity: 3, openedUs: at(-71), closedUs: null },
  { sensorId: "steady", severity: 1, openedUs: at(-1), closedUs: at(1) },
  { sensorId: "steady", severity: 1, openedUs: at(-5), closedUs: at(-4) },
  // Of the day after.
  { sensorId: "steady", severity: 1, openedUs: at(24), closedUs: null },
];

async function storeAlarms(sql: Sql): Promise<void> {
  for (const [i, alarm] of alarms.entries()) {
    const { sensorId, type = "anomaly_detection", severity, openedUs, closedUs, acknowledgedUs = null } = alarm;
    await sql`
      insert into alert (id, partition, sensor_id, sensor_type, alert_type, severity, message, score, value, opened_us, last_seen_us,
        closed_us, acknowledged_us, state, readings, detector, confidence, model_version)
      values (${i + 1}, 0, ${sensorId}, 'temperature', ${type}, ${severity}, 'm', 0.5, 1, ${openedUs}, ${openedUs}, ${closedUs},
        ${acknowledgedUs}, ${closedUs === null ? 1 : 2}, 1, 'd', 0.99, 'test/1')`;
  }
}

/** Stores the fleet: the earlier part compacted, the later one as it came. */
export async function storeFleet(stored: Stored, compact: () => Promise<unknown>): Promise<void> {
  const [earlier, later] = split();
  await stored.commit(earlier);
  await compact();
  await stored.commit(later);
  await storeAlarms(stored.sql);
}
