/** What people said of the stretch that a sensor's chart shows: loaded with each stretch. */
import type { MaintenanceWindow } from "../../gen/web/telltale/v1/detector_pb.ts";
import { type Mark, marksOf, type Whose } from "../chart/marks.ts";
import type { Span } from "../chart/range.ts";
import { timestampOf } from "./format.ts";
import { pause } from "./pause.ts";
import { type Resource, resource } from "./resource.svelte.ts";
import { alertApi } from "./services/alert.ts";
import { detectorApi } from "./services/detector.ts";
import { session } from "./session.svelte.ts";

/** While a chart is dragged nothing is asked for. */
const SETTLE_MS = 300;
const MOST_ALERTS = 1_000;
/** An alert that opened before the stretch may reach into it. */
const BEFORE_MS = 7 * 86_400_000;

/** @param of the stretch, read as state; undefined: nothing yet */
export function sensorMarks(of: () => (Whose & { readonly span: Span }) | undefined): Resource<readonly Mark[]> {
  return resource("What people said", async (signal) => {
    const wanted = of();
    if (wanted === undefined) return [];
    await pause(SETTLE_MS, signal);
    const { sensorId, span } = wanted;
    const times = { startTime: timestampOf(span.from - BEFORE_MS), endTime: timestampOf(span.to) };
    const [windows, { alerts }] = await Promise.all([
      // Windows concern all sensors: who may see some of them only is not told.
      session.isWhole ? allWindows(signal) : [],
      alertApi.listAlerts({ sensorId, ...times, limit: MOST_ALERTS }, { signal }),
    ]);
    return marksOf(windows, alerts, wanted, span);
  });
}

async function allWindows(signal: AbortSignal): Promise<MaintenanceWindow[]> {
  const all: MaintenanceWindow[] = [];
  let pageToken = "";
  do {
    const { windows, nextPageToken } = await detectorApi.listMaintenanceWindows({ pageToken, ended: true }, { signal });
    all.push(...windows);
    pageToken = nextPageToken;
  } while (pageToken !== "");
  return all;
}
