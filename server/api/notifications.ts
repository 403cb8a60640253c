/** Configuration and fate of notifications. */
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  type DeliveryState,
  NotificationDeliverySchema,
  type NotificationService,
} from "../../gen/es/telltale/v1/notification_pb.ts";
import { TelltaleError } from "../errors.ts";
import { quoted } from "../lib/quoted.ts";
import { didYouMean } from "../lib/suggest.ts";
import { toTimestamp } from "../lib/time.ts";
import type { AddressGuard } from "../notify/channels/addresses.ts";
import type { Secret } from "../notify/config/config.ts";
import { ConfigInForce } from "../notify/config/in-force.ts";
import { parseNotifyConfig } from "../notify/config/parse.ts";
import { redactText } from "../notify/config/redact.ts";
import { readConfig, type StoredConfig, writeConfig } from "../notify/config/store.ts";
import { brokenChannelOf, brokenChannels, isBrokenId } from "../notify/deliveries/broken.ts";
import { type Delivery, listDeliveries, QUEUED } from "../notify/deliveries/store.ts";
import { NO_ALERT, testMessage } from "../notify/deliveries/test-message.ts";
import { sendTest } from "../notify/deliveries/trial.ts";
import { explain } from "../notify/explain.ts";
import { missing } from "../notify/missing.ts";
import { FIRST_RECEIVED_ID } from "../notify/received/received-alert.ts";
import { findReceived } from "../notify/received/store.ts";
import { SilencesInForce } from "../notify/silences/in-force.ts";
import { canAccessSensor } from "../security/principal.ts";
import { createHeartbeatMethods } from "./heartbeats.ts";
import { createLinkMethods, type LinkOptions } from "./linked-alerts.ts";
import { createPreviewMethod } from "./notification-preview.ts";
import { configView } from "./notification-view.ts";
import { createNotifiedMethods } from "./notified-alerts.ts";
import { createOnCallMethods } from "./on-call.ts";
import { readPageToken } from "./page-token.ts";
import { FRAME_BYTES, page } from "./pages.ts";
import { principalOf } from "./principal.ts";
import { createPushMethods } from "./push.ts";
import { createReceivingMethods, type ReceivingOptions } from "./received-alerts.ts";
import { createSilenceMethods, toMessage as silenceMessage } from "./silences.ts";

const DEFAULT_LIMIT = 100;
/** Of an alert, in the explanation. */
const EXPLAINED_DELIVERIES = 100;
/** Of a message, in a list of messages. */
const SHOWN_ALERTS = 100;

/** A configuration can name variables of its environment. */
export interface NotificationOptions extends ReceivingOptions, LinkOptions {
  /** Hosts that may be called. */
  readonly addresses: AddressGuard;
  /** Where the key of web push is; undefined: in the database. */
  readonly pushKey: Secret | undefined;
}

export function createNotificationService(o: NotificationOptions): ServiceImpl<typeof NotificationService> {
  const { sql, clock } = o;
  const inForce = { config: new ConfigInForce(), silences: new SilencesInForce() };
  return {
    ...createSilenceMethods(o, inForce.config),
    ...createReceivingMethods(o, inForce.config),
    ...createNotifiedMethods(o, inForce),
    ...createPreviewMethod({ sql, clock, inForce: inForce.config }),
    ...createLinkMethods(o),
    ...createHeartbeatMethods(o, inForce.config),
    ...createPushMethods({ ...o, inForce: inForce.config }),
    ...createOnCallMethods({ sql, clock, inForce: inForce.config }),

    async getNotificationConfig() {
      const { stored, used, problems } = await inForce.config.read(sql);
      const usedRevision = BigInt(used?.stored.revision ?? 0);
      const view = used && usedRevision > 0n ? configView(used.config, await brokenChannels(sql)) : {};
      return { config: configMessage(stored), ...view, problems: [...problems], usedRevision };
    },

    async setNotificationConfig({ text, templates, revision, dryRun }, context) {
      const parsed = parseNotifyConfig(text, templates);
      if ("problems" in parsed) return { problems: [...parsed.problems] };
      const { revision: after } = await readConfig(sql);
      if (revision !== undefined && Number(revision) !== after) throw changedMeanwhile(after, Number(revision));
      const warnings = await missing(parsed.references, o);
      if (dryRun) return { warnings };
      const files = templates.map((file) => ({ path: file.path, text: file.text }));
      const by = { appliedUs: clock.nowUs(), appliedBy: principalOf(context).name };
      const applied = { after, text, templates: files, ...by };
      const stored = await writeConfig(sql, applied);
      if (stored === undefined) throw changedMeanwhile(after + 1, after);
      return { config: configMessage(stored), warnings };
    },

    async testReceiver({ receiver }, { signal }) {
      const { receivers } = (await inForce.config.readable(sql)).config;
      const found = receivers.find(({ name }) => name === receiver);
      if (found === undefined) {
        const hint = didYouMean(
          receiver,
          receivers.map(({ name }) => name),
        );
        throw new TelltaleError("not_found", `there is no receiver ${quoted(receiver)}${hint}`);
      }
      const trial = { message: testMessage(receiver, clock.nowUs()), channels: found.channels };
      const tests = await sendTest(sql, trial, { clock, signal });
      return { channels: tests };
    },

    async listDeliveries({ receiver, state, alertId, limit = DEFAULT_LIMIT, pageToken }, context) {
      const filters = { list: "deliveries", receiver, state, alert_id: alertId?.toString() };
      const beforeId = readPageToken(pageToken, filters)?.id;
      const filter = { receiver, state, ...(alertId === undefined ? {} : { alertId: String(alertId) }) };
      const rows = await listDeliveries(sql, filter, { beforeId, limit: limit === 0 ? 0 : limit + 1 });
      const placeOf = ({ id }: Delivery) => ({ timeUs: 0, id });
      const list = { rows, limit, toItem: deliveryMessage, bytesOf, placeOf, filters };
      const { items, nextPageToken } = page(list, context);
      return { deliveries: items, nextPageToken };
    },

    async explainNotification({ alertId }, context) {
      const id = await findAlert(alertId, context);
      const { sensorPrefix } = principalOf(context);
      const why = await explain(sql, inForce, { alertId: id, sensorPrefix, nowUs: clock.nowUs() });
      const found = await listDeliveries(
        sql,
        { receiver: "", state: 0, alertId: String(id) },
        { beforeId: undefined, limit: EXPLAINED_DELIVERIES },
      );
      // Routes, groups and receivers' answers tell of other sensors too.
      const isLimited = sensorPrefix !== "";
      const deliveries = isLimited ? found.map(withoutReasons) : found;
      return {
        labels: why.labelsWith(found),
        routes: [...why.routes],
        silences: why.silences.map(silenceMessage),
        inhibitedBy: why.inhibitedBy.filter((id) => !isBrokenId(id)).map(BigInt),
        deliveries: deliveries.map((each) => ({
          ...deliveryMessage(each),
          ...(isLimited ? limitedTo(alertId, each) : {}),
        })),
        reasons: why.reasonsWith(deliveries),
      };
    },
  };

  /**
   * Of ours, or a received one.
   *
   * @throws TelltaleError "not_found", also where the caller may not see its sensor
   */
  async function findAlert(alertId: bigint, context: HandlerContext): Promise<number> {
    const fits = alertId > 0n && alertId <= BigInt(Number.MAX_SAFE_INTEGER);
    const id = Number(alertId);
    const sensorId = fits ? await sensorOf(id) : undefined;
    if (sensorId !== undefined && canAccessSensor(principalOf(context), sensorId)) return id;
    throw new TelltaleError("not_found", `there is no alert ${alertId}`);
  }

  /** Undefined: there is no such alert. */
  async function sensorOf(id: number): Promise<string | undefined> {
    if (id < FIRST_RECEIVED_ID) return (await o.queries.alert(id))?.sensorId;
    const received = await findReceived(sql, id);
    return received && (received.labels.sensor_id ?? "");
  }
}

/** What only the alert that was asked for may be seen of. */
function limitedTo(alertId: bigint, { message }: Delivery) {
  const isOver = message.alerts.some(({ id, status }) => id === String(alertId) && status === "resolved");
  return { alertIds: [alertId], resolvedAlertIds: isOver ? [alertId] : [], brokenChannels: [], key: "" };
}

function withoutReasons({ message, ...delivery }: Delivery): Delivery {
  const { fallback } = message;
  const shown = fallback === undefined ? message : { ...message, fallback: { ...fallback, reason: "" } };
  return { ...delivery, message: shown, reason: "" };
}

function changedMeanwhile(is: number, wanted: number): TelltaleError {
  return new TelltaleError(
    "conflict",
    `the configuration is at revision ${is}, not ${wanted}: somebody changed it meanwhile; read it again`,
  );
}

function configMessage({ text, templates, revision, appliedUs, appliedBy }: StoredConfig) {
  if (revision === 0) return {};
  const applied = { revision: BigInt(revision), appliedAt: toTimestamp(appliedUs), appliedBy };
  return { text: redactText(text) ?? "", templates: [...templates], ...applied };
}

type Item = MessageInitShape<typeof NotificationDeliverySchema>;

function bytesOf(item: Item): number {
  return toBinary(NotificationDeliverySchema, create(NotificationDeliverySchema, item)).length + FRAME_BYTES;
}

function deliveryMessage({ message, state, ...delivery }: Delivery): Item {
  const { id, receiver, channel, kind, attempts, reason, fallbackTo, fallbackOf } = delivery;
  const alerts = message.alerts.slice(0, SHOWN_ALERTS);
  const ofSensors = alerts.filter((alert) => alert.id !== NO_ALERT && !isBrokenId(alert.id));
  return {
    ...{ receiver, channel, kind, attempts, reason, key: message.key, fallbackTo },
    id: BigInt(id),
    state: state as DeliveryState,
    alertIds: ofSensors.map((alert) => BigInt(alert.id)),
    resolvedAlertIds: ofSensors.filter(({ status }) => status === "resolved").map((alert) => BigInt(alert.id)),
    brokenChannels: alerts.filter((alert) => isBrokenId(alert.id)).map(brokenChannelOf),
    resolved: message.status === "resolved",
    createdAt: toTimestamp(delivery.createdUs),
    ...(state === QUEUED ? { nextAttemptAt: toTimestamp(Math.max(delivery.nextUs, delivery.createdUs)) } : {}),
    ...(delivery.doneUs === undefined ? {} : { doneAt: toTimestamp(delivery.doneUs) }),
    ...(fallbackOf === undefined ? {} : { fallbackOf: BigInt(fallbackOf) }),
    fallbackReason: message.fallback?.reason ?? "",
  };
}
