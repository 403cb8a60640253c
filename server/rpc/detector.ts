import { randomUUID } from "node:crypto";
import { create, fromBinary, type MessageInitShape, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  DetectorConfigSchema,
  type DetectorService,
  type MaintenanceWindow,
} from "../../gen/es/telltale/v1/detector_pb.ts";
import { type Control, ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import type { ScoredReading } from "../../gen/es/telltale/v1/reading_pb.ts";
import type { Clock } from "../clock.ts";
import { TelltaleError } from "../errors.ts";
import { shown } from "../ingest/check.ts";
import { toAlert } from "../pipeline/alert.ts";
import type { Intake } from "../pipeline/intake.ts";
import type { Queries } from "../store/queries.ts";
import { maySee, principalOf } from "./principal.ts";
import { invalid, timeOf, toMessages } from "./query.ts";

export interface DetectorOptions {
  readonly queries: Queries;
  readonly intake: Intake;
  readonly partitions: number;
  readonly clock: Clock;
  /** Alarms per sensor and day where no setting says otherwise. */
  readonly alarmsPerSensorDay: number;
  /** Confidence from which a reading counts as anomalous, 0 to 1. */
  readonly threshold: number;
}

type Action = NonNullable<MessageInitShape<typeof ControlSchema>["action"]>;

/** Methods that are not here answer UNIMPLEMENTED. */
export function createDetectorService(o: DetectorOptions): Partial<ServiceImpl<typeof DetectorService>> {
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
      const { rangeMin, rangeMax } = config!;
      if (rangeMin !== undefined && rangeMax !== undefined && rangeMin >= rangeMax) {
        throw invalid("config.range_min", `${rangeMin} is not below range_max ${rangeMax}`);
      }
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
    async explainReading({ sensorId, observedAt }, context) {
      const principal = principalOf(context);
      const missing = () =>
        new TelltaleError("not_found", `sensor ${shown(sensorId)} has no reading${observedAt ? " at that time" : ""}`);
      if (!maySee(principal, sensorId)) throw missing();
      const at = observedAt === undefined ? undefined : timeOf("observed_at", observedAt, 0);
      const found =
        at === undefined
          ? await o.queries.latest([sensorId], principal.sensorPrefix)
          : await o.queries.readings(
              {
                sensorId,
                sensorPrefix: principal.sensorPrefix,
                sensorType: undefined,
                location: undefined,
                fromUs: at,
                toUs: at,
                anomaliesOnly: false,
                after: undefined,
              },
              1,
              0,
            );
      const [reading] = toMessages(found);
      if (reading === undefined) throw missing();
      const time = found.points.timeUs[found.order[0]!]!;
      const past = await o.queries.alertBefore(sensorId, time - 1);
      return {
        reading,
        bar: o.threshold,
        summary: summarise(reading, o.threshold),
        votes: [],
        ...(past === undefined ? {} : { nearestPastAlert: toAlert(past) }),
      };
    },
  };
}

/** The fields that are set. */
function given(config: MessageShape<typeof DetectorConfigSchema>): Partial<MessageShape<typeof DetectorConfigSchema>> {
  const { $typeName: _, $unknown: __, ...fields } = config;
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function summarise(r: ScoredReading, bar: number): string {
  if (r.late) return "Not judged: a newer reading of the sensor was logged before it.";
  if (r.expected === undefined) return "Not flagged: the sensor was too young to be judged.";
  const range =
    r.lower === undefined || r.upper === undefined ? "" : ` (${r.lower.toPrecision(6)} to ${r.upper.toPrecision(6)})`;
  const facts = `value ${r.value} ${r.unit}, expected ${r.expected.toPrecision(6)}${range}, confidence ${r.confidence.toFixed(4)}`;
  if (r.isAnomaly) return `Flagged by ${r.reason} with score ${r.anomalyScore.toFixed(4)}: ${facts}, bar ${bar}.`;
  return `Not flagged: ${facts} did not reach the bar ${bar}.`;
}
