import { randomUUID } from "node:crypto";
import { create, fromBinary, type MessageInitShape, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  DetectorConfigSchema,
  type DetectorService,
  type MaintenanceWindow,
} from "../../gen/es/telltale/v1/detector_pb.ts";
import { type Control, ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import type { BacktestRunner } from "../backtest/runner.ts";
import type { Clock } from "../clock.ts";
import { TelltaleError } from "../errors.ts";
import { shown } from "../ingest/check.ts";
import type { Intake } from "../pipeline/intake.ts";
import type { Queries } from "../store/queries.ts";
import { alertActs } from "./alerts.ts";
import { checkConfig, createBacktest } from "./detector-backtest.ts";
import { createExplain } from "./detector-explain.ts";
import { createLabel } from "./detector-label.ts";
import { principalOf } from "./principal.ts";
import { invalid, timeOf } from "./query.ts";

export interface DetectorOptions {
  readonly queries: Queries;
  readonly intake: Intake;
  readonly partitions: number;
  readonly clock: Clock;
  readonly runner: BacktestRunner;
  /** Alarms per sensor and day where no setting says otherwise. */
  readonly alarmsPerSensorDay: number;
  /** Confidence from which a reading counts as anomalous, 0 to 1. */
  readonly threshold: number;
}

type Action = NonNullable<MessageInitShape<typeof ControlSchema>["action"]>;

export function createDetectorService(o: DetectorOptions): ServiceImpl<typeof DetectorService> {
  /** Settings hold for sensors of every partition: each has them at its own place in its log. */
  async function set(action: Action, context: HandlerContext): Promise<void> {
    const control = create(ControlSchema, { id: randomUUID(), principal: principalOf(context).name, action });
    const bytes = toBinary(ControlSchema, control);
    await Promise.all(Array.from({ length: o.partitions }, (_, partition) => o.intake.control(partition, bytes)));
  }

  async function settings(): Promise<Control[]> {
    return (await o.queries.settings()).map((bytes) => fromBinary(ControlSchema, bytes));
  }

  async function configOf(sensorType: string): Promise<MessageShape<typeof DetectorConfigSchema>> {
    const found = { "": create(DetectorConfigSchema), own: create(DetectorConfigSchema) };
    for (const { action } of await settings()) {
      if (action.case !== "config") continue;
      if (action.value.sensorType === "") found[""] = action.value;
      if (action.value.sensorType === sensorType) found.own = action.value;
    }
    // A type's own settings take the place of those for all.
    const set = found.own.sensorType === sensorType && sensorType !== "" ? found.own : found[""];
    return create(DetectorConfigSchema, {
      alarmsPerSensorDay: o.alarmsPerSensorDay,
      reorderHoldMs: 0,
      counter: false,
      ...given(set),
      sensorType,
    });
  }

  async function windows(): Promise<MaintenanceWindow[]> {
    const open = new Map<string, MaintenanceWindow>();
    for (const { action } of await settings()) {
      if (action.case === "maintenance") open.set(action.value.id, action.value);
      else if (action.case === "endMaintenance") open.delete(action.value.windowId);
    }
    const nowUs = o.clock.nowUs();
    return [...open.values()]
      .filter((w) => timeOf("end_time", w.endTime, 0) > nowUs)
      .sort((a, b) => timeOf("start_time", a.startTime, 0) - timeOf("start_time", b.startTime, 0));
  }

  return {
    async getDetectorConfig({ sensorType }) {
      return { config: await configOf(sensorType) };
    },
    async setDetectorConfig({ config }, context) {
      checkConfig(config!);
      await set({ case: "config", value: config! }, context);
      return { config: await configOf(config!.sensorType) };
    },
    async createMaintenanceWindow({ window }, context) {
      const from = timeOf("window.start_time", window!.startTime, 0);
      const until = timeOf("window.end_time", window!.endTime, 0);
      if (until <= from) throw invalid("window.end_time", "the window ends before it begins: give a later end");
      const made = { ...window!, id: randomUUID() };
      await set({ case: "maintenance", value: made }, context);
      return { window: made };
    },
    async listMaintenanceWindows() {
      return { windows: await windows() };
    },
    async deleteMaintenanceWindow({ id }, context) {
      if (!(await windows()).some((w) => w.id === id)) {
        throw new TelltaleError("not_found", `there is no maintenance window ${shown(id)} that has not ended`);
      }
      await set({ case: "endMaintenance", value: { windowId: id } }, context);
      return {};
    },
    explainReading: createExplain(o),
    labelAlert: createLabel({ ...o, acts: alertActs(o) }),
    backtest: createBacktest(o.runner),
  };
}

/** The fields that are set. */
function given(config: MessageShape<typeof DetectorConfigSchema>): Partial<MessageShape<typeof DetectorConfigSchema>> {
  const { $typeName: _, $unknown: __, ...fields } = config;
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
