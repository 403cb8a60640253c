/** Sends rows by the device client, and knows at every moment which of them are settled. */
import { type Counts, createDeviceClient, type DeviceClientOptions, type RefusedReading } from "../../client/index.ts";
import type { ProgressView } from "../progress.ts";
import type { BadRow } from "./row.ts";
import type { PlacedRow, Source } from "./source.ts";
import type { Position } from "./state.ts";

/** What may be on its way: some 200,000 readings, each of which is also kept here as a row until it is settled. */
const BUFFER_BYTES = 2 * 1024 * 1024;

export interface Sending {
  /** Rows up to here, in the order of the source, are settled: so many since the beginning of this run, with these outcomes. */
  settled(position: Position, readings: number, counts: Counts): void;
  refused(row: BadRow): void;
}

/** Resolves when every row is settled, or soon after the signal is aborted. */
export async function sendRows(
  source: Source,
  options: Omit<DeviceClientOptions, "onRefusal" | "onProgress" | "maxBufferBytes">,
  view: ProgressView,
  sending: Sending,
  signal: AbortSignal,
): Promise<void> {
  let open: PlacedRow[] = [];
  let done = 0;
  const client = createDeviceClient({
    ...options,
    maxBufferBytes: BUFFER_BYTES,
    onRefusal: (refused) => sending.refused(badRow(open, refused)),
    onProgress: (progress) => {
      view.update(progress);
      const rows = progress.settled - done;
      if (rows === 0) return;
      const last = open[rows - 1]!;
      open = open.slice(rows);
      done = progress.settled;
      sending.settled(last.position, done, progress.counts);
    },
  });
  try {
    for await (const row of source.rows()) {
      if (signal.aborted) break;
      open.push(row);
      await client.send(row.reading);
    }
    if (!signal.aborted) await client.flush();
  } finally {
    await client.close();
  }
}

/** Readings are refused before they are settled: the row is among the oldest that are open. */
function badRow(open: readonly PlacedRow[], { refusal, reading }: RefusedReading): BadRow {
  const row = open.find(
    ({ reading: own }) =>
      own.observedAtUs === reading.observedAtUs && own.sensorId === reading.sensorId && own.value === reading.value,
  );
  return {
    where: row?.where ?? "?",
    column: "",
    value: reading.value,
    wanted: `${reading.sensorId}: ${refusal.message}`,
  };
}
