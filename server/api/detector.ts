import { randomUUID } from "node:crypto";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  type DetectorService,
  GetDetectorConfigRequestSchema,
  type MaintenanceWindow,
  MaintenanceWindowSchema,
} from "../../gen/es/telltale/v1/detector_pb.ts";
import { type Control, ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import type { BacktestRunner } from "../backtest/runner.ts";
import type { Clock } from "../clock.ts";
import { TelltaleError } from "../errors.ts";
import type { LogSubmitter } from "../ingest/log-submitter.ts";
import { quoted } from "../lib/quoted.ts";
import { type ControlAction, withZoneRules } from "../lib/zone-rules.ts";
import type { Logger } from "../observe/logger.ts";
import type { Queries } from "../store/queries.ts";
import { alertActions } from "./alerts.ts";
import { createBacktest } from "./detector-backtest.ts";
import { createConfig } from "./detector-config.ts";
import { createExplain } from "./detector-explain.ts";
import { createForecast } from "./detector-forecast.ts";
import { createLabel } from "./detector-label.ts";
import { type Place, readTextPageToken } from "./page-token.ts";
import { FRAME_BYTES, page } from "./pages.ts";
import { principalOf } from "./principal.ts";
import { invalid, timeOf } from "./query.ts";
import type { SettingsBook } from "./settings-book.ts";
import type { SettingsSync } from "./settings-sync.ts";

export interface DetectorOptions {
  readonly book: SettingsBook;
  readonly settings: SettingsSync;
  readonly queries: Queries;
  readonly submitter: LogSubmitter;
  readonly logger: Logger;
  readonly partitions: number;
  readonly clock: Clock;
  readonly runner: BacktestRunner;
  /** Alarms per sensor and day where no setting says otherwise. */
  readonly alarmsPerSensorDay: number;
  /** Confidence from which a reading counts as anomalous, 0 to 1. */
  readonly threshold: number;
}

const DEFAULT_WINDOWS = 1000;
const OF_WINDOWS = { list: "maintenance windows" };

export function createDetectorService(o: DetectorOptions): ServiceImpl<typeof DetectorService> {
  /** What holds for sensors of every partition each has at its own place in its log; what is of one sensor, its partition. */
  async function set(action: ControlAction, context: HandlerContext, only?: number): Promise<void> {
    const by = { id: randomUUID(), principal: principalOf(context).name };
    const control = create(ControlSchema, { ...by, ...withZoneRules(action) });
    const bytes = toBinary(ControlSchema, control);
    const all = Array.from({ length: o.partitions }, (_, partition) => partition);
    const partitions = only === undefined ? all : [only];
    await Promise.all(partitions.map((partition) => o.submitter.control(partition, bytes)));
  }

  async function controls(): Promise<Control[]> {
    return (await o.queries.settings()).map((bytes) => fromBinary(ControlSchema, bytes));
  }

  /** @param ended also those that have ended */
  async function windows(ended = false): Promise<MaintenanceWindow[]> {
    const open = new Map<string, MaintenanceWindow>();
    for (const { action } of await controls()) {
      if (action.case === "maintenance") open.set(action.value.id, action.value);
      else if (action.case === "endMaintenance") open.delete(action.value.windowId);
    }
    const nowUs = o.clock.nowUs();
    const shown = await o.queries.shownNames();
    return [...open.values()]
      .map((w) => ({ ...w, sensorId: shown.get(w.sensorId) ?? w.sensorId }))
      .filter((w) => ended || timeOf("end_time", w.endTime, 0) > nowUs)
      .sort((a, b) => compare(placeOf(a), placeOf(b)));
  }

  const config = createConfig({ ...o, log: set });
  const settingsOf = (sensorId: string, context: HandlerContext) =>
    config.get(create(GetDetectorConfigRequestSchema, { sensorId }), context);
  return {
    getDetectorConfig: config.get,
    setDetectorConfig: config.set,
    async createMaintenanceWindow({ window }, context) {
      const from = timeOf("window.start_time", window!.startTime, 0);
      const until = timeOf("window.end_time", window!.endTime, 0);
      if (until <= from) throw invalid("window.end_time", "the window ends before it begins: give a later end");
      const made = { ...window!, id: randomUUID() };
      const sensorId = made.sensorId === "" ? "" : await o.queries.keyOf(made.sensorId);
      await set({ case: "maintenance", value: { ...made, sensorId } }, context);
      return { window: made };
    },
    async listMaintenanceWindows({ limit = DEFAULT_WINDOWS, pageToken, ended }, context) {
      const filters = { ...OF_WINDOWS, ended };
      const after = readTextPageToken(pageToken, filters);
      const rows = (await windows(ended)).filter((w) => after === undefined || compare(placeOf(w), after) > 0);
      const bytesOf = (w: MaintenanceWindow) => toBinary(MaintenanceWindowSchema, w).length + FRAME_BYTES;
      const toItem = (w: MaintenanceWindow) => w;
      const list = { rows: limit === 0 ? [] : rows, limit, toItem, bytesOf, placeOf, filters };
      const { items, nextPageToken } = page(list, context);
      return { windows: items, nextPageToken };
    },
    async deleteMaintenanceWindow({ id }, context) {
      if (!(await windows()).some((w) => w.id === id)) {
        throw new TelltaleError("not_found", `there is no maintenance window ${quoted(id)} that has not ended`);
      }
      await set({ case: "endMaintenance", value: { windowId: id } }, context);
      return {};
    },
    explainReading: createExplain({ ...o, settingsOf }),
    forecast: createForecast({ ...o, settingsOf }),
    labelAlert: createLabel({ ...o, acts: alertActions(o) }),
    backtest: createBacktest(o.runner),
  };
}

/** Windows are listed in this order. */
function placeOf({ startTime, id }: MaintenanceWindow): Place<string> {
  return { timeUs: timeOf("start_time", startTime, 0), id };
}

function compare(a: Place<string>, b: Place<string>): number {
  return a.timeUs - b.timeUs || (a.id < b.id ? -1 : Number(a.id > b.id));
}
