/** Incidents: listed, shown, watched, acknowledged and derived again. */
import { toBinary } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { MAX_TIME_US } from "../../formats/time.ts";
import {
  type Incident,
  IncidentKind,
  type IncidentMember,
  IncidentMemberSchema,
  IncidentSchema,
  type IncidentService,
  IncidentState,
  type ListIncidentsRequest,
} from "../../gen/es/telltale/v1/incident_pb.ts";
import { TelltaleError } from "../errors.ts";
import { MAX_ACKNOWLEDGED_AT_ONCE } from "../incidents/limits.ts";
import type { IncidentView, IncidentViews, MemberView } from "../incidents/views.ts";
import type { Feed } from "../live/feed.ts";
import { canAccessSensor } from "../security/principal.ts";
import type { AlertActions } from "./alerts.ts";
import { toIncident, toMember } from "./incident-messages.ts";
import { type Filters, readPageToken } from "./page-token.ts";
import { FRAME_BYTES, page } from "./pages.ts";
import { principalOf } from "./principal.ts";
import { timeOf } from "./query.ts";
import { watchIncidents } from "./watch-incidents.ts";
import type { WatchShares } from "./watch-shares.ts";

const DEFAULT_LIMIT = 100;
/** Acknowledgements that are in the log at the same time: they share commits. */
const ACKNOWLEDGED_TOGETHER = 100;
/** Deriving all again takes seconds for a hundred thousand events. */
const REBUILD_MS = 300_000;

export interface IncidentOptions {
  readonly views: IncidentViews;
  readonly alerts: AlertActions;
  readonly shares: WatchShares;
  /** Changes whenever incidents may have. */
  readonly changed: Feed<null>;
  /** Has whoever derives incidents look at once. */
  readonly wake: () => void;
}

export function createIncidentService(o: IncidentOptions): ServiceImpl<typeof IncidentService> {
  const { views } = o;

  async function find(id: bigint, context: HandlerContext): Promise<{ incidentId: number; view: IncidentView }> {
    const fits = id > 0n && id <= BigInt(Number.MAX_SAFE_INTEGER);
    const found = fits ? await views.find(Number(id), principalOf(context).sensorPrefix) : undefined;
    if (found === undefined) throw new TelltaleError("not_found", `there is no incident ${id}`);
    return found;
  }

  return {
    async listIncidents(request, context) {
      const { sensorPrefix } = principalOf(context);
      const limit = request.limit ?? DEFAULT_LIMIT;
      const after = readPageToken(request.pageToken, pagedBy(request));
      const wanted = { sensorPrefix, limit: limit === 0 ? 0 : limit + 1, after };
      const rows = await views.list(filterOf(request), wanted);
      const list = {
        ...{ rows, limit, filters: pagedBy(request) },
        toItem: (view: IncidentView) => toIncident(view, views.settings),
        bytesOf: (incident: Incident) => toBinary(IncidentSchema, incident).length + FRAME_BYTES,
        placeOf: ({ openedUs, id }: IncidentView) => ({ timeUs: openedUs, id }),
      };
      const { items, nextPageToken } = page(list, context);
      return { incidents: items, nextPageToken };
    },

    async getIncident(request, context) {
      const principal = principalOf(context);
      const { incidentId, view } = await find(request.incidentId, context);
      const limit = request.limit ?? DEFAULT_LIMIT;
      const filters = { list: "alerts of an incident", incident_id: view.id };
      const after = readPageToken(request.pageToken, filters);
      const wanted = { sensorPrefix: principal.sensorPrefix, limit: limit === 0 ? 0 : limit + 1, after };
      const rows = await views.members(incidentId, wanted);
      const sees = (sensorId: string) => canAccessSensor(principal, sensorId);
      const list = {
        ...{ rows, limit, filters },
        toItem: (member: MemberView) => toMember(member, { view, sees }),
        bytesOf: (member: IncidentMember) => toBinary(IncidentMemberSchema, member).length + FRAME_BYTES,
        placeOf: ({ openedUs, alertId }: MemberView) => ({ timeUs: openedUs, id: alertId }),
      };
      const { items, nextPageToken } = page(list, context);
      return { incident: toIncident(view, views.settings), members: items, nextPageToken };
    },

    watchIncidents: (request, context) =>
      o.shares.counted("incidents", context, () => watchIncidents(o, request, context)),

    async acknowledgeIncident(request, context) {
      const { incidentId } = await find(request.incidentId, context);
      const waiting = await views.unacknowledged(incidentId, principalOf(context).sensorPrefix);
      const now = waiting.slice(0, MAX_ACKNOWLEDGED_AT_ONCE);
      for (let i = 0; i < now.length; i += ACKNOWLEDGED_TOGETHER) {
        await Promise.all(now.slice(i, i + ACKNOWLEDGED_TOGETHER).map((id) => acknowledge(o.alerts, id, context)));
      }
      const { view } = await find(request.incidentId, context);
      return {
        incident: toIncident(view, views.settings),
        acknowledged: BigInt(now.length),
        remaining: BigInt(waiting.length - now.length),
      };
    },

    async rebuildIncidents(_, { signal }) {
      const asked = await views.askForRebuild();
      o.wake();
      const untilMs = performance.now() + REBUILD_MS;
      for (;;) {
        const seen = o.changed.next;
        const { answered } = await views.progress();
        if (answered >= asked) {
          const { events, incidents } = await views.counts();
          return { events: BigInt(events), incidents: BigInt(incidents) };
        }
        if (performance.now() > untilMs) throw new TelltaleError("unavailable", NOBODY_DERIVES);
        await o.changed.changed(seen, 1000, signal);
      }
    },
  };
}

const NOBODY_DERIVES =
  "incidents were not derived again by now: either there are very many alert events, or no process with the role score runs; it is done as soon as one does";

async function acknowledge({ find, act }: AlertActions, id: number, context: HandlerContext): Promise<void> {
  const alertId = BigInt(id);
  const row = await find(alertId, context);
  if (row.acknowledgedUs !== null) return;
  await act(row, { case: "acknowledge", value: { alertId, sensorId: row.sensorId } }, context);
}

function pagedBy(r: ListIncidentsRequest): Filters {
  return {
    list: "incidents",
    ...{ state: r.state, min_severity: r.minSeverity, kind: r.kind, sensor_id: r.sensorId, asset: r.asset },
    start_time: timeOf("start_time", r.startTime, -1),
    end_time: timeOf("end_time", r.endTime, -1),
    min_alerts: r.minAlerts ?? 1,
  };
}

function filterOf(r: ListIncidentsRequest) {
  const { state, kind, minSeverity, sensorId, asset, minAlerts = 1 } = r;
  return {
    ...{ minSeverity, sensorId, asset, minAlerts },
    open: state === IncidentState.UNSPECIFIED ? undefined : state === IncidentState.OPEN,
    flood: kind === IncidentKind.UNSPECIFIED ? undefined : kind === IncidentKind.FLOOD,
    fromUs: timeOf("start_time", r.startTime, 0),
    toUs: timeOf("end_time", r.endTime, MAX_TIME_US),
  };
}
