import { randomUUID } from "node:crypto";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { MAX_TIME_US } from "../../formats/time.ts";
import {
  type Alert,
  AlertSchema,
  type AlertService,
  type ListAlertsRequest,
} from "../../gen/es/telltale/v1/alert_pb.ts";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { renamed } from "../backtest/named.ts";
import { TelltaleError } from "../errors.ts";
import type { LogSubmitter } from "../ingest/log-submitter.ts";
import { partitionOf } from "../ingest/series.ts";
import type { Registry } from "../registry/registry.ts";
import { toAlert } from "../scoring/alert.ts";
import { canAccessSensor } from "../security/principal.ts";
import type { Queries } from "../store/queries.ts";
import type { AlertRow } from "../store/store.ts";
import { alertPeers } from "./alert-peers.ts";
import { severitySteps } from "./alert-severity.ts";
import { type Filters, readPageToken } from "./page-token.ts";
import { FRAME_BYTES, page } from "./pages.ts";
import { principalOf } from "./principal.ts";
import { emptyToUndefined, timeOf } from "./query.ts";

const DEFAULT_LIMIT = 100;

/** What the pages of a list have in common. */
function pagedBy(r: ListAlertsRequest): Filters {
  return {
    sensor_id: r.sensorId,
    severity: r.severity,
    resolved: r.resolved,
    start_time: timeOf("start_time", r.startTime, -1),
    end_time: timeOf("end_time", r.endTime, -1),
  };
}

export interface AlertOptions {
  readonly queries: Queries;
  readonly submitter: LogSubmitter;
  readonly partitions: number;
}

type Action = NonNullable<MessageInitShape<typeof ControlSchema>["action"]>;

export interface AlertActions {
  /** Throws TelltaleError "not_found", also where the caller may not see its sensor. */
  find(id: bigint, context: HandlerContext): Promise<AlertRow>;
  /** Logs the act, waits until it is committed, and answers with the alert as it is then. */
  act(row: AlertRow, action: Action, context: HandlerContext): Promise<Alert>;
}

/** What people do to alerts goes through the log like readings do, so that it happens at one place in their order. */
export function alertActions(o: AlertOptions): AlertActions {
  async function find(id: bigint, context: HandlerContext): Promise<AlertRow> {
    const fits = id > 0n && id <= BigInt(Number.MAX_SAFE_INTEGER);
    const row = fits ? await o.queries.alert(Number(id)) : undefined;
    if (row === undefined || !canAccessSensor(principalOf(context), row.sensorId)) {
      throw new TelltaleError("not_found", `there is no alert ${id}`);
    }
    return row;
  }

  async function act(row: AlertRow, action: Action, context: HandlerContext): Promise<Alert> {
    const control = create(ControlSchema, { id: randomUUID(), principal: principalOf(context).name, action });
    const key = await o.queries.keyOf(row.sensorId);
    const logged = renamed(control, (sensorId) => (sensorId === row.sensorId ? key : sensorId));
    await o.submitter.control(partitionOf(key, o.partitions), toBinary(ControlSchema, logged));
    return toAlert(await find(BigInt(row.id), context));
  }
  return { find, act };
}

export function createAlertService(
  o: AlertOptions & { readonly registry: Registry },
): ServiceImpl<typeof AlertService> {
  const { find, act } = alertActions(o);
  return {
    async getAlertPeers({ alertId }, context) {
      return alertPeers(o, await find(alertId, context), principalOf(context));
    },
    async listAlerts(request, context) {
      const principal = principalOf(context);
      if (request.sensorId !== "" && !canAccessSensor(principal, request.sensorId))
        return { alerts: [], nextPageToken: "" };
      const limit = request.limit ?? DEFAULT_LIMIT;
      const rows = await o.queries.alerts({
        sensorId: emptyToUndefined(request.sensorId),
        sensorPrefix: principal.sensorPrefix,
        severity: request.severity === 0 ? undefined : request.severity,
        resolved: request.resolved,
        fromUs: timeOf("start_time", request.startTime, 0),
        toUs: timeOf("end_time", request.endTime, MAX_TIME_US),
        limit: limit === 0 ? 0 : limit + 1,
        offset: Number(request.offset),
        after: readPageToken(request.pageToken, pagedBy(request)),
      });
      const bytesOf = (alert: Alert) => toBinary(AlertSchema, alert).length + FRAME_BYTES;
      const placeOf = ({ openedUs, id }: AlertRow) => ({ timeUs: openedUs, id });
      const list = { rows, limit, toItem: toAlert, bytesOf, placeOf, filters: pagedBy(request) };
      const { items, nextPageToken } = page(list, context);
      return { alerts: items, more: items.length < Math.min(limit, rows.length), nextPageToken };
    },
    async getAlert({ alertId }, context) {
      const row = await find(alertId, context);
      return { alert: toAlert(row), severitySteps: severitySteps(await o.queries.eventsOfAlert(row.id)) };
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
