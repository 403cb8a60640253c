import { randomUUID } from "node:crypto";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { Alert, AlertService } from "../../gen/es/telltale/v1/alert_pb.ts";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { TelltaleError } from "../errors.ts";
import { MAX_TIME_US } from "../ingest/limits.ts";
import { partitionOf } from "../ingest/series.ts";
import { toAlert } from "../pipeline/alert.ts";
import type { Intake } from "../pipeline/intake.ts";
import type { Queries } from "../store/queries.ts";
import type { AlertRow } from "../store/store.ts";
import { maySee, principalOf } from "./principal.ts";
import { orAny, timeOf } from "./query.ts";

const DEFAULT_LIMIT = 100;

export interface AlertOptions {
  readonly queries: Queries;
  readonly intake: Intake;
  readonly partitions: number;
}

type Action = NonNullable<MessageInitShape<typeof ControlSchema>["action"]>;

export interface AlertActs {
  /** Throws TelltaleError "not_found", also where the caller may not see its sensor. */
  find(id: bigint, context: HandlerContext): Promise<AlertRow>;
  /** Logs the act, waits until it is committed, and answers with the alert as it is then. */
  act(row: AlertRow, action: Action, context: HandlerContext): Promise<Alert>;
}

/** What people do to alerts goes through the log like readings do, so that it happens at one place in their order. */
export function alertActs(o: AlertOptions): AlertActs {
  async function find(id: bigint, context: HandlerContext): Promise<AlertRow> {
    const fits = id > 0n && id <= BigInt(Number.MAX_SAFE_INTEGER);
    const row = fits ? await o.queries.alert(Number(id)) : undefined;
    if (row === undefined || !maySee(principalOf(context), row.sensorId)) {
      throw new TelltaleError("not_found", `there is no alert ${id}`);
    }
    return row;
  }

  async function act(row: AlertRow, action: Action, context: HandlerContext): Promise<Alert> {
    const control = create(ControlSchema, { id: randomUUID(), principal: principalOf(context).name, action });
    await o.intake.control(partitionOf(row.sensorId, o.partitions), toBinary(ControlSchema, control));
    return toAlert(await find(BigInt(row.id), context));
  }
  return { find, act };
}

export function createAlertService(o: AlertOptions): ServiceImpl<typeof AlertService> {
  const { find, act } = alertActs(o);
  return {
    async listAlerts(request, context) {
      const principal = principalOf(context);
      if (request.sensorId !== "" && !maySee(principal, request.sensorId)) return { alerts: [] };
      const rows = await o.queries.alerts({
        sensorId: orAny(request.sensorId),
        sensorPrefix: principal.sensorPrefix,
        severity: request.severity === 0 ? undefined : request.severity,
        resolved: request.resolved,
        fromUs: timeOf("start_time", request.startTime, 0),
        toUs: timeOf("end_time", request.endTime, MAX_TIME_US),
        limit: request.limit ?? DEFAULT_LIMIT,
        offset: Number(request.offset),
      });
      return { alerts: rows.map(toAlert) };
    },
    async getAlert({ alertId }, context) {
      return { alert: toAlert(await find(alertId, context)) };
    },
    async acknowledgeAlert({ alertId }, context) {
      const row = await find(alertId, context);
      if (row.acknowledgedUs !== null) return { alert: toAlert(row) };
      const value = { alertId, sensorId: row.sensorId };
      return { alert: await act(row, { case: "acknowledge", value }, context) };
    },
    async resolveAlert({ alertId, comment }, context) {
      const row = await find(alertId, context);
      if (row.closedUs !== null) return { alert: toAlert(row) };
      const value = { alertId, sensorId: row.sensorId, comment };
      return { alert: await act(row, { case: "resolve", value }, context) };
    },
  };
}
