/** Alerts that other programs send: taken, and acknowledged. */
import type { ServiceImpl } from "@connectrpc/connect";
import type { Sql } from "postgres";
import type { NotificationService, ReceivedAlert } from "../../gen/es/telltale/v1/notification_pb.ts";
import type { Clock } from "../clock.ts";
import { TelltaleError } from "../errors.ts";
import { quoted } from "../lib/quoted.ts";
import { toMicros, toTimestamp } from "../lib/time.ts";
import type { ConfigInForce } from "../notify/config/in-force.ts";
import { DEFAULT_RESOLVE_TIMEOUT_MS } from "../notify/config/limits.ts";
import { checkAlert } from "../notify/received/check.ts";
import { MAX_OPEN_RECEIVED_ALERTS } from "../notify/received/limits.ts";
import type { SentAlert } from "../notify/received/received-alert.ts";
import { acknowledgeReceived, receive } from "../notify/received/store.ts";
import type { Metrics } from "../observe/metrics.ts";
import { canAccessSensor, type Principal } from "../security/principal.ts";
import { principalOf } from "./principal.ts";

export interface ReceivingOptions {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly metrics: Pick<Metrics, "receivedAlerts">;
  /** Tells the process that decides on notifications that something was committed. */
  readonly wake: () => void;
}

type Names = "receiveAlerts" | "acknowledgeReceivedAlert";

interface Refusal {
  readonly index: number;
  readonly reason: "invalid" | "forbidden" | "too_many";
  readonly message: string;
}

export function createReceivingMethods(
  { sql, clock, metrics, wake }: ReceivingOptions,
  inForce: ConfigInForce,
): Pick<ServiceImpl<typeof NotificationService>, Names> {
  return {
    async receiveAlerts({ alerts }, context) {
      const principal = principalOf(context);
      // Nearly every program says when an alert ends.
      const isToldEnds = alerts.every(({ endsAt }) => endsAt !== undefined);
      const resolveTimeoutMs = isToldEnds ? DEFAULT_RESOLVE_TIMEOUT_MS : await resolveTimeout(sql, inForce);
      const nowUs = clock.nowUs();
      const refused: Refusal[] = [];
      const taken: { index: number; alert: SentAlert }[] = [];
      for (const [index, given] of alerts.entries()) {
        const checked = checkAlert(givenAlert(given), { nowUs, resolveTimeoutMs });
        if ("problem" in checked) refused.push({ index, reason: "invalid", message: checked.problem });
        else if (!canAccess(principal, checked.alert)) refused.push({ index, ...foreign(principal, checked.alert) });
        else taken.push({ index, alert: checked.alert });
      }
      const sent = taken.map(({ alert }) => alert);
      const { begun, ended, known, tooMany, own, hasNews } = await receive(sql, sent, nowUs);
      if (hasNews) wake();
      for (const i of tooMany) refused.push({ index: taken[i]!.index, ...noRoom() });
      for (const i of own) refused.push({ index: taken[i]!.index, ...ofPlatform() });
      const outcomes = { new: begun, over: ended, known, refused: refused.length };
      for (const [outcome, count] of Object.entries(outcomes)) metrics.receivedAlerts.inc({ outcome }, count);
      return {
        accepted: sent.length - tooMany.length - own.length,
        refused: refused.sort((a, b) => a.index - b.index),
      };
    },

    async acknowledgeReceivedAlert({ alertId }, context) {
      const { name, sensorPrefix } = principalOf(context);
      const fits = alertId > 0n && alertId <= BigInt(Number.MAX_SAFE_INTEGER);
      const wanted = { id: Number(alertId), sensorPrefix, by: name };
      const done = fits ? await acknowledgeReceived(sql, wanted, clock.nowUs()) : undefined;
      if (done === undefined)
        throw new TelltaleError("not_found", `there is no received alert ${alertId} that is open`);
      wake();
      return { acknowledgedAt: toTimestamp(done.atUs), acknowledgedBy: done.by };
    },
  };
}

async function resolveTimeout(sql: Sql, inForce: ConfigInForce): Promise<number> {
  const { used } = await inForce.read(sql);
  return used?.config.resolveTimeoutMs ?? DEFAULT_RESOLVE_TIMEOUT_MS;
}

function givenAlert({ labels, annotations, generatorUrl, startsAt, endsAt }: ReceivedAlert) {
  const usOf = (time: typeof startsAt) => (time === undefined ? undefined : toMicros(time));
  return { labels, annotations, generatorUrl, startsUs: usOf(startsAt), endsUs: usOf(endsAt) };
}

/** By the label that says whose sensor it is of: one without it is nobody's who is limited to some sensors. */
function canAccess(principal: Principal, { labels }: SentAlert): boolean {
  return canAccessSensor(principal, labels.sensor_id ?? "");
}

function foreign({ name, sensorPrefix }: Principal, { labels }: SentAlert): Omit<Refusal, "index"> {
  const has = labels.sensor_id === undefined ? "has none" : `has ${quoted(labels.sensor_id)}`;
  const wanted = `alerts of it need a label sensor_id within ${quoted(sensorPrefix)}`;
  return { reason: "forbidden", message: `${name} is limited to some sensors: ${wanted}, and this one ${has}` };
}

function ofPlatform(): Omit<Refusal, "index"> {
  const message =
    "an alert with these labels is open that the platform itself has raised, and nobody else ends or changes: a heartbeat that is missing is over with its next sign of life";
  return { reason: "forbidden", message };
}

function noRoom(): Omit<Refusal, "index"> {
  const message = `${MAX_OPEN_RECEIVED_ALERTS} received alerts are open already: no further ones are taken until some of them are over`;
  return { reason: "too_many", message };
}
