import type { Sql } from "postgres";
import { counted } from "../../formats/counted.ts";
import { quotedValue } from "../lib/quoted.ts";
import { scopeName } from "./rules.ts";

export interface AuditRow {
  readonly id: number;
  readonly at: Date;
  readonly principal: string;
  readonly action: string;
  readonly target: string;
  readonly detail: string;
}

interface Entry {
  readonly action: string;
  readonly target: (request: Fields, response: Fields) => string;
  readonly detail?: (request: Fields, response: Fields) => string;
  /** Whether the call changed anything that is to be written down; absent: always. */
  readonly when?: (request: Fields, response: Fields) => boolean;
}

// biome-ignore lint/suspicious/noExplicitAny: each row knows its own request
type Fields = any;

/** What is written down, by "service/method": everything that a person decides. */
export const audited: Readonly<Record<string, Entry>> = {
  "telltale.v1.AlertService/AcknowledgeAlert": {
    action: "alert.acknowledge",
    target: ({ alertId }) => `alert ${alertId}`,
  },
  "telltale.v1.AlertService/ResolveAlert": {
    action: "alert.resolve",
    target: ({ alertId }) => `alert ${alertId}`,
    detail: ({ comment }) => comment,
  },
  "telltale.v1.DetectorService/LabelAlert": {
    action: "alert.label",
    target: ({ alertId }) => `alert ${alertId}`,
    detail: ({ correct, withdraw, comment }) => [withdraw ? "removed" : correct ? "right" : "wrong", comment].join(" "),
    when: ({ dryRun }) => !dryRun,
  },
  "telltale.v1.DetectorService/SetDetectorConfig": {
    action: "detector.configure",
    target: ({ config }) =>
      config?.sensorId
        ? `sensor ${quotedValue(config.sensorId)}`
        : config?.asset
          ? `asset ${quotedValue(config.asset)}`
          : `sensor type ${quotedValue(config?.sensorType)}`,
    detail: ({ config }) => JSON.stringify({ ...config, $typeName: undefined }),
    when: ({ dryRun }) => !dryRun,
  },
  "telltale.v1.DetectorService/CreateMaintenanceWindow": {
    action: "maintenance.create",
    target: (_, { window }) => `window ${window?.id ?? ""}`,
  },
  "telltale.v1.DetectorService/DeleteMaintenanceWindow": {
    action: "maintenance.delete",
    target: ({ id }) => `window ${id}`,
  },
  "telltale.v1.RegistryService/UpdateSensor": {
    action: "sensor.update",
    target: ({ profile }) => `sensor ${quotedValue(profile?.sensorId)}`,
    detail: ({ profile, updateFields }, { sensor }) =>
      `revision ${sensor?.revision}: ${JSON.stringify({ ...profile, $typeName: undefined, revision: undefined })}, fields ${updateFields}`,
  },
  "telltale.v1.RegistryService/ApplySensors": {
    action: "sensor.apply",
    target: ({ changes }) => counted(changes.length, "sensor"),
    detail: (_, { created, changed, unchanged, differences }) =>
      `${created} created, ${changed} changed, ${unchanged} unchanged: ${differencesOf(differences)}`,
    when: ({ dryRun }) => !dryRun,
  },
  "telltale.v1.NotificationService/SetNotificationConfig": {
    action: "notification.configure",
    target: (_, { config }) => `revision ${config?.revision}`,
    // Its text may hold secrets; what was applied is kept with its revision.
    when: ({ dryRun }, { problems }) => !dryRun && problems.length === 0,
  },
  "telltale.v1.NotificationService/TestReceiver": {
    action: "notification.test",
    target: ({ receiver }) => `receiver ${quotedValue(receiver)}`,
  },
  "telltale.v1.NotificationService/CreateSilence": {
    action: "silence.create",
    target: (_, { silence }) => `silence ${silence?.id}`,
    detail: ({ comment, matchers }) => `${comment}: ${matchersOf(matchers)}`,
    when: ({ dryRun }) => !dryRun,
  },
  "telltale.v1.NotificationService/UpdateSilence": {
    action: "silence.update",
    target: ({ id }) => `silence ${quotedValue(id)}`,
    detail: ({ comment, matchers }, { silence, replaced }) =>
      `${replaced ? `now ${silence?.id}, ` : ""}${comment}: ${matchersOf(matchers)}`,
  },
  "telltale.v1.NotificationService/AcknowledgeReceivedAlert": {
    action: "alert.acknowledge",
    target: ({ alertId }) => `received alert ${alertId}`,
  },
  "telltale.v1.NotificationService/ExpireSilence": {
    action: "silence.expire",
    target: ({ id }) => `silence ${quotedValue(id)}`,
  },
  "telltale.v1.NotificationService/CreateOverride": {
    action: "override.create",
    target: (_, { override }) => `override ${override?.id}`,
    detail: ({ schedule, receiver, replaces, comment }) =>
      `${quotedValue(receiver)} for ${replaces === "" ? "everybody" : quotedValue(replaces)} of ${quotedValue(schedule)}: ${comment}`,
  },
  "telltale.v1.NotificationService/EndOverride": {
    action: "override.end",
    target: ({ id }) => `override ${quotedValue(id)}`,
  },
  // By the receiver that the link was sent to. The link itself is a secret.
  "telltale.v1.NotificationService/ActByLink": {
    action: "alert.act_by_link",
    target: (_, { alert }) => `alert ${alert?.alertId}`,
    detail: (_, { summary }) => summary,
  },
  "telltale.v1.NotificationService/RevokeLinks": { action: "notification.revoke_links", target: () => "all links" },
  // The endpoint is a secret.
  "telltale.v1.NotificationService/SubscribePush": {
    action: "push.subscribe",
    target: (_, { subscription }) => `browser ${subscription?.id}`,
    detail: ({ label }, { subscription }) => `${quotedValue(label)} at ${subscription?.service}`,
  },
  "telltale.v1.NotificationService/UnsubscribePush": {
    action: "push.unsubscribe",
    target: ({ id }) => `browser ${quotedValue(id)}`,
  },
  "telltale.v1.IncidentService/AcknowledgeIncident": {
    action: "incident.acknowledge",
    target: ({ incidentId }) => `incident ${incidentId}`,
    detail: (_, { acknowledged, remaining }) => `${counted(acknowledged, "alert")} acknowledged, ${remaining} left`,
  },
  "telltale.v1.IncidentService/RebuildIncidents": { action: "incident.rebuild", target: () => "all incidents" },
  "telltale.v1.RegistryService/RetireSensors": {
    action: "sensor.retire",
    target: sensorsOf,
    detail: ({ sensorIds }) => namedOf<string>(sensorIds, quotedValue),
  },
  "telltale.v1.RegistryService/RestoreSensors": {
    action: "sensor.restore",
    target: sensorsOf,
    detail: ({ sensorIds }) => namedOf<string>(sensorIds, quotedValue),
  },
  "telltale.v1.RegistryService/DeleteSensor": {
    action: "sensor.delete",
    target: ({ sensorId }) => `sensor ${quotedValue(sensorId)}`,
    detail: (_, { deletion }) => deletedOf(deletion),
    when: ({ dryRun }) => !dryRun,
  },
  "telltale.v1.RegistryService/DeleteSensors": {
    action: "sensor.delete",
    target: sensorsOf,
    // All of them: nothing else says so later.
    detail: (_, { deletions }) => deletions.map(deletedOf).join(", "),
    when: ({ dryRun }) => !dryRun,
  },
  "telltale.v1.RegistryService/RenameSensor": {
    action: "sensor.rename",
    target: ({ sensorId }) => `sensor ${quotedValue(sensorId)}`,
    detail: ({ newSensorId }) => `to ${quotedValue(newSensorId)}`,
  },
  "telltale.v1.AdminService/CreateToken": {
    action: "token.create",
    target: (_, { token }) => `token ${token?.id}`,
    detail: ({ token }) =>
      `name ${quotedValue(token?.name)}, scopes ${token?.scopes.map(scopeName).join(", ")}, prefix ${quotedValue(token?.sensorPrefix)}`,
  },
  "telltale.v1.AdminService/ReplayQuarantinedReading": {
    action: "quarantine.replay",
    target: ({ id }) => `quarantined reading ${id}`,
  },
  "telltale.v1.AdminService/DiscardQuarantinedReading": {
    action: "quarantine.discard",
    target: ({ id }) => `quarantined reading ${id}`,
  },
  "telltale.v1.AdminService/BeginSession": {
    action: "session.begin",
    target: (_, { session }) => `session of ${session?.caller}`,
    detail: ({ browser }) => browser,
  },
  "telltale.v1.AdminService/EndSession": {
    action: "session.end",
    target: (_, { session }) => `session of ${session?.caller}`,
  },
  "telltale.v1.AdminService/EndSessions": {
    action: "session.end",
    target: (_, { caller }) => `all sessions of ${caller}`,
    detail: ({ keepCurrent }, { ended }) => `${counted(ended, "session")}${keepCurrent ? ", but for this one" : ""}`,
  },
  "telltale.v1.AdminService/EndSessionsByLogoutToken": {
    action: "session.end",
    target: (_, { caller }) => `sessions of ${caller || "a person"} at the identity provider`,
    detail: (_, { ended }) => counted(ended, "session"),
  },
  "telltale.v1.AdminService/RevokeToken": { action: "token.revoke", target: ({ id }) => `token ${id}` },
};

/** Of a change of thousands of sensors the first ones are named; of deletions all. */
const NAMED_SENSORS = 100;

function matchersOf(matchers: readonly Fields[]): string {
  return JSON.stringify(matchers.map(({ name, type, value }) => ({ name, type, value })));
}

function differencesOf(differences: readonly { sensorId: string; fields: readonly { field: string }[] }[]): string {
  return namedOf(
    differences,
    ({ sensorId, fields }) => `${quotedValue(sensorId)} (${fields.map((f) => f.field).join(", ")})`,
  );
}

function namedOf<T>(all: readonly T[], textOf: (one: T) => string): string {
  const more = all.length - NAMED_SENSORS;
  return [...all.slice(0, NAMED_SENSORS).map(textOf), ...(more > 0 ? [`and ${more} more`] : [])].join(", ");
}

function deletedOf(deletion: { sensorId: string; readings: bigint; alerts: bigint }): string {
  const { sensorId, readings, alerts } = deletion;
  return `${quotedValue(sensorId)} (${counted(readings, "reading")}, ${counted(alerts, "alert")})`;
}

function sensorsOf({ sensorIds }: { readonly sensorIds: readonly string[] }): string {
  return sensorIds.length === 1 ? `sensor ${quotedValue(sensorIds[0])}` : `${sensorIds.length} sensors`;
}

/** The record of who did what: rows are added, never changed (the database refuses it). */
export class Audit {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async add({ principal, action, target, detail }: Omit<AuditRow, "id" | "at">): Promise<void> {
    await this.#sql`
      insert into audit_event (principal, action, target, detail) values (${principal}, ${action}, ${target}, ${clean(detail)})`;
  }

  /** Newest first; `beforeId` 0 begins at the newest. */
  async list(limit: number, beforeId: number): Promise<AuditRow[]> {
    const before = beforeId === 0 ? Number.MAX_SAFE_INTEGER : beforeId;
    const rows = await this.#sql`select * from audit_event where id < ${before} order by id desc limit ${limit}`;
    return rows.map((row) => ({ ...(row as unknown as AuditRow), id: Number(row.id) }));
  }
}

/** PostgreSQL's text has no NUL. */
function clean(text: string): string {
  return text.replaceAll("\0", "");
}
