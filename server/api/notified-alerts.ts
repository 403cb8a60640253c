/** Lists open alerts as notifications see them, and what notifications are made with. */
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Sql } from "postgres";
import { MatcherProblem } from "../../formats/matchers.ts";
import { Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import {
  type ListNotifiedAlertsRequest,
  type NotificationService,
  NotifiedAlertSchema,
  NotifiedState,
} from "../../gen/es/telltale/v1/notification_pb.ts";
import type { Clock } from "../clock.ts";
import { fromLabelMatcher } from "../lib/label-matcher.ts";
import { toTimestamp } from "../lib/time.ts";
import { fingerprint } from "../notify/channels/fingerprint.ts";
import { redactText } from "../notify/config/redact.ts";
import { isBrokenId } from "../notify/deliveries/broken.ts";
import type { InForce } from "../notify/explain.ts";
import type { InhibitingAlert } from "../notify/inhibit.ts";
import { type NotifiedAlert, NotifiedAlerts } from "../notify/notified.ts";
import { groupOf } from "../notify/route.ts";
import { readPageToken } from "./page-token.ts";
import { FRAME_BYTES, page } from "./pages.ts";
import { principalOf } from "./principal.ts";
import { invalid } from "./query.ts";
import { matchersTest } from "./silence-fields.ts";

const DEFAULT_LIMIT = 100;

type Names = "listNotifiedAlerts" | "getNotificationStatus";

export function createNotifiedMethods(
  { sql, clock }: { readonly sql: Sql; readonly clock: Clock },
  { config: inForce, silences }: InForce,
): Pick<ServiceImpl<typeof NotificationService>, Names> {
  const notified = new NotifiedAlerts(sql, silences);
  const startedAt = toTimestamp(clock.nowUs());

  return {
    async listNotifiedAlerts(request, context) {
      const { sensorPrefix } = principalOf(context);
      const { limit = DEFAULT_LIMIT, withGroups, ...filters } = filtersOf(request);
      const matches = matchersTest(filters.matchers);
      const belowId = readPageToken(request.pageToken, filters)?.id ?? Number.MAX_SAFE_INTEGER;
      const range = { nowUs: clock.nowUs(), belowId, limit: limit === 0 ? 0 : limit + 1 };
      const filter = { ...filters, sensorPrefix, matches };
      const { config } = await inForce.readable(sql);
      const rows = await notified.list(config, filter, range).catch(blameReceiver);
      const toItem = (each: NotifiedAlert) => toMessage(each, { sensorPrefix, withGroups });
      const placeOf = ({ id }: NotifiedAlert) => ({ timeUs: 0, id });
      const { items, nextPageToken } = page({ rows, limit, toItem, bytesOf, placeOf, filters }, context);
      return { alerts: items, nextPageToken };
    },

    async getNotificationStatus(_, context) {
      const { scopes, sensorPrefix } = principalOf(context);
      const { stored, used, problems } = await inForce.read(sql);
      const receivers = used?.config.receivers.map(({ name }) => name) ?? [];
      const isAdmin = scopes.has(Scope.ADMIN) && sensorPrefix === "";
      const text = isAdmin ? (redactText(stored.text) ?? "") : "";
      return { receivers, text, startedAt, configProblems: problems.length };
    },
  };
}

/** What a page's token depends on, and what it does not. */
function filtersOf({ limit, withGroups, matchers, ...request }: ListNotifiedAlertsRequest) {
  const { receiver, excludeActive, excludeSilenced, excludeInhibited } = request;
  return {
    ...(limit === undefined ? {} : { limit }),
    ...{ withGroups, list: "notified alerts", matchers: matchers.map(fromLabelMatcher) },
    ...{ receiver, excludeActive, excludeSilenced, excludeInhibited },
  };
}

function blameReceiver(error: unknown): never {
  if (error instanceof MatcherProblem) throw invalid("receiver", error.message);
  throw error;
}

type Item = MessageInitShape<typeof NotifiedAlertSchema>;

function bytesOf(item: Item): number {
  return toBinary(NotifiedAlertSchema, create(NotifiedAlertSchema, item)).length + FRAME_BYTES;
}

function toMessage(
  { id, alert, received, silences, inhibitedBy, routes }: NotifiedAlert,
  { sensorPrefix, withGroups }: { sensorPrefix: string; withGroups: boolean },
): Item {
  const { labels, annotations, generatorUrl = "" } = alert;
  const isActive = silences.length === 0 && inhibitedBy === undefined;
  const isSeen = ({ id: of, labels: { sensor_id: sensorId = "" } }: InhibitingAlert) =>
    !isBrokenId(of) && sensorId.startsWith(sensorPrefix);
  const inhibiting = inhibitedBy !== undefined && isSeen(inhibitedBy) ? [inhibitedBy] : [];
  const groups = routes.map((route) => ({ ...groupOf(route, labels), receiver: route.receiver }));
  return {
    ...{ alertId: BigInt(id), labels: { ...labels }, annotations: { ...annotations }, generatorUrl },
    fingerprint: received?.fingerprint ?? fingerprint(labels),
    startsAt: toTimestamp(alert.startsUs),
    state: isActive ? NotifiedState.ACTIVE : NotifiedState.SUPPRESSED,
    silencedBy: silences.filter((each) => each.sensorPrefix.startsWith(sensorPrefix)).map((each) => each.id),
    inhibitedBy: inhibiting.map((each) => ({ alertId: BigInt(each.id), fingerprint: fingerprint(each.labels) })),
    receivers: [...new Set(routes.map(({ receiver }) => receiver))],
    groups: withGroups ? groups.map((group) => ({ ...group, labels: { ...group.labels } })) : [],
    acknowledged: alert.isAcknowledged,
    ...(received === undefined ? {} : receivedFields(received)),
  };
}

function receivedFields({ endsUs, updatedUs, acknowledgedUs, acknowledgedBy }: NonNullable<NotifiedAlert["received"]>) {
  return {
    received: true,
    endsAt: toTimestamp(endsUs),
    updatedAt: toTimestamp(updatedUs),
    ...(acknowledgedUs === undefined ? {} : { acknowledgedAt: toTimestamp(acknowledgedUs) }),
    acknowledgedBy: acknowledgedBy ?? "",
  };
}
