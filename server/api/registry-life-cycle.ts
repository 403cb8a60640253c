/** Sensors are retired, restored and deleted through the log, so that it happens at one place among their readings. */
import { randomUUID } from "node:crypto";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import {
  type DeleteSensorsRequest,
  type RegistryService,
  type SensorDeletion,
  SensorDeletionSchema,
} from "../../gen/es/telltale/v1/registry_pb.ts";
import type { Clock } from "../clock.ts";
import { TelltaleError } from "../errors.ts";
import type { LogSubmitter } from "../ingest/log-submitter.ts";
import { partitionOf } from "../ingest/series.ts";
import { quoted } from "../lib/quoted.ts";
import { toTimestamp } from "../lib/time.ts";
import type { DeletionDetails } from "../registry/deletions.ts";
import type { SensorDetails } from "../registry/details.ts";
import type { Registry } from "../registry/registry.ts";
import { canAccessSensor } from "../security/principal.ts";
import { readPageToken } from "./page-token.ts";
import { FRAME_BYTES, fitting, page } from "./pages.ts";
import { principalOf } from "./principal.ts";
import { sensorBytes, sensorMessage } from "./registry-messages.ts";

const DEFAULT_LIMIT = 100;
/** A sensor whose newest reading was observed less than this ago is sending. The contract states it. */
const SENDING_US = 300_000_000;
/** Sensors that an error names. */
const NAMED = 5;

export interface LifeCycleOptions {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly submitter: LogSubmitter;
  readonly partitions: number;
  /** What is stored has changed: answers that were kept are not right any more. */
  readonly onChanged: () => Promise<void>;
}

type Action = NonNullable<MessageInitShape<typeof ControlSchema>["action"]>;
type Methods = "retireSensors" | "restoreSensors" | "deleteSensor" | "deleteSensors" | "listSensorDeletions";

export function createLifeCycle(o: LifeCycleOptions): Pick<ServiceImpl<typeof RegistryService>, Methods> {
  const { registry, clock } = o;

  /** The sensors, each of which there is. A caller that may not see one hears that there is none. */
  async function find(sensorIds: readonly string[], context: HandlerContext): Promise<SensorDetails[]> {
    const principal = principalOf(context);
    const found = await registry.get(sensorIds.filter((id) => canAccessSensor(principal, id)));
    if (found.length === sensorIds.length) return found;
    const known = new Set(found.map(({ sensorId }) => sensorId));
    const missing = sensorIds.filter((id) => !known.has(id));
    throw new TelltaleError("not_found", `there is no sensor ${named(missing)}: nothing was changed`);
  }

  /** One record in each partition that has any of the sensors; resolves when all are committed. */
  async function act(sensorIds: readonly string[], actionOf: (ids: string[]) => Action, context: HandlerContext) {
    const principal = principalOf(context).name;
    const keys = await registry.keysOf(sensorIds);
    const byPartition = Map.groupBy(keys, (key) => partitionOf(key, o.partitions));
    await Promise.all(
      [...byPartition].map(([partition, ids]) => {
        const control = create(ControlSchema, { id: randomUUID(), principal, action: actionOf(ids) });
        return o.submitter.control(partition, toBinary(ControlSchema, control));
      }),
    );
    await o.onChanged();
  }

  async function setRetired(sensorIds: readonly string[], retired: boolean, context: HandlerContext) {
    await find(sensorIds, context);
    await act(sensorIds, (ids) => ({ case: "retire", value: { sensorIds: ids, retired } }), context);
    const sensors = (await find(sensorIds, context)).map((details) =>
      sensorMessage(details, clock.nowUs(), principalOf(context)),
    );
    const other = sensors.find(({ retiredAt }) => (retiredAt !== undefined) !== retired);
    if (other !== undefined) throw notDone(other.sensorId);
    return { sensors: sensors.slice(0, fitting(sensors, sensorBytes, context)) };
  }

  function checkSending(sensors: readonly SensorDetails[]): void {
    const since = clock.nowUs() - SENDING_US;
    const sending = sensors.filter(({ lastUs }) => lastUs > since).map(({ sensorId }) => sensorId);
    if (sending.length === 0) return;
    throw new TelltaleError(
      "conflict",
      `${named(sending)} sent a reading within the last ${SENDING_US / 60e6} minutes: stop the device first, or set while_sending; ` +
        "what is sent after the deletion begins the sensor anew",
    );
  }

  type Request = Pick<DeleteSensorsRequest, "sensorIds" | "whileSending" | "dryRun">;

  async function remove(
    { sensorIds, whileSending, dryRun }: Request,
    context: HandlerContext,
  ): Promise<SensorDeletion[]> {
    const sensors = await find(sensorIds, context);
    if (!whileSending) checkSending(sensors);
    const alerts = await registry.countAlerts(sensorIds);
    if (dryRun) return sensors.map((details) => plannedMessage(details, alerts));
    const before = new Map((await registry.newestDeletions(sensorIds)).map(({ sensorId, id }) => [sensorId, id]));
    await act(sensorIds, (ids) => ({ case: "deleteSensors", value: { sensorIds: ids } }), context);
    const after = new Map((await registry.newestDeletions(sensorIds)).map((d) => [d.sensorId, d]));
    return sensorIds.map((id) => {
      const deletion = after.get(id);
      if (deletion === undefined || deletion.id === before.get(id)) throw notDone(id);
      return deletionMessage({ ...deletion, alerts: alerts.get(id) ?? 0 });
    });
  }

  return {
    retireSensors: ({ sensorIds }, context) => setRetired(sensorIds, true, context),
    restoreSensors: ({ sensorIds }, context) => setRetired(sensorIds, false, context),

    async deleteSensor({ sensorId, ...how }, context) {
      const [deletion] = await remove({ sensorIds: [sensorId], ...how }, context);
      return { deletion: deletion! };
    },
    deleteSensors: async (request, context) => ({ deletions: await remove(request, context) }),

    async listSensorDeletions({ limit = DEFAULT_LIMIT, pageToken, unfinished }, context) {
      const { sensorPrefix } = principalOf(context);
      const filters = { list: "deletions of sensors", unfinished };
      const before = readPageToken(pageToken, filters)?.id;
      const rows = await registry.deletions({
        ...{ sensorPrefix, unfinished, before },
        limit: limit === 0 ? 0 : limit + 1,
      });
      const bytesOf = (deletion: SensorDeletion) => toBinary(SensorDeletionSchema, deletion).length + FRAME_BYTES;
      const placeOf = ({ id }: DeletionDetails) => ({ timeUs: 0, id });
      const list = { rows, limit, toItem: deletionMessage, bytesOf, placeOf, filters };
      const { items, nextPageToken } = page(list, context);
      return { deletions: items, nextPageToken };
    },
  };
}

/** The record is in the log, and whoever owns the partition did not know what it means, or set it aside. */
function notDone(sensorId: string): TelltaleError {
  return new TelltaleError(
    "unavailable",
    `the change of ${quoted(sensorId)} is in the log and was not made: the partition's scorer is of a former version, or has set it ` +
      "aside (telltale quarantine list); upgrade all processes and try again",
  );
}

function named(sensorIds: readonly string[]): string {
  const more = sensorIds.length > NAMED ? ` and ${sensorIds.length - NAMED} more` : "";
  return `${sensorIds.slice(0, NAMED).map(quoted).join(", ")}${more}`;
}

function plannedMessage({ sensorId, series }: SensorDetails, alerts: ReadonlyMap<string, number>): SensorDeletion {
  const readings = series.reduce((sum, each) => sum + each.readings, 0);
  return create(SensorDeletionSchema, {
    ...{ sensorId, readings: BigInt(readings), alerts: BigInt(alerts.get(sensorId) ?? 0) },
  });
}

function deletionMessage({ sensorId, readings, removedReadings, alerts, atUs, by, finishedUs }: DeletionDetails) {
  return create(SensorDeletionSchema, {
    ...{ sensorId, readings: BigInt(readings), removedReadings: BigInt(removedReadings), alerts: BigInt(alerts) },
    ...{ deletedAt: toTimestamp(atUs), deletedBy: by },
    ...(finishedUs === undefined ? {} : { finishedAt: toTimestamp(finishedUs) }),
  });
}
