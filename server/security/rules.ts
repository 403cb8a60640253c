import { Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { TelltaleError } from "../errors.ts";
import { enumName, enumValue } from "../lib/enum-name.ts";
import type { Principal } from "./principal.ts";

/**
 * What a call needs. "public": nothing. "known": any valid credential. "link": a signed link in the request, which the service reads. A
 * scope: that scope, or admin. `whole`: it concerns every sensor, so a principal that is limited to a prefix may not make it.
 */
export type Rule = "public" | "known" | "link" | Scope | { readonly scope: Scope; readonly whole: true };

const whole = (scope: Scope): Rule => ({ scope, whole: true });

/**
 * The one table, by "service/method". What is not in it is refused to everybody. GraphQL and REST stand on the same calls and
 * pass the caller's credential on, so it holds for them too.
 */
export const rules: Readonly<Record<string, Rule>> = {
  "telltale.v1.IngestService/StreamReadings": Scope.INGEST,
  "telltale.v1.IngestService/SubmitReadings": Scope.INGEST,
  "opentelemetry.proto.collector.metrics.v1.MetricsService/Export": Scope.INGEST,
  "telltale.v1.QueryService/ListReadings": Scope.READ,
  "telltale.v1.QueryService/GetLatestReading": Scope.READ,
  "telltale.v1.QueryService/BatchGetLatestReadings": Scope.READ,
  "telltale.v1.QueryService/GetSensorStats": Scope.READ,
  "telltale.v1.QueryService/GetPlatformStats": whole(Scope.READ),
  "telltale.v1.QueryService/ListSensors": Scope.READ,
  "telltale.v1.QueryService/AggregateReadings": Scope.READ,
  "telltale.v1.QueryService/GetSeries": Scope.READ,
  "telltale.v1.QueryService/GetAnomalyHeatmap": Scope.READ,
  // Names of parts and whether they answer: probes need it, and it tells nothing of any sensor.
  "telltale.v1.QueryService/GetPlatformHealth": "public",
  "telltale.v1.WatchService/WatchReadings": Scope.READ,
  "telltale.v1.WatchService/WatchAlerts": Scope.READ,
  "telltale.v1.AlertService/ListAlerts": Scope.READ,
  "telltale.v1.AlertService/GetAlert": Scope.READ,
  "telltale.v1.AlertService/GetAlertPeers": Scope.READ,
  "telltale.v1.AlertService/AcknowledgeAlert": Scope.OPERATE,
  "telltale.v1.AlertService/ResolveAlert": Scope.OPERATE,
  "telltale.v1.DetectorService/ExplainReading": Scope.READ,
  "telltale.v1.DetectorService/Forecast": Scope.READ,
  "telltale.v1.DetectorService/GetDetectorConfig": Scope.READ,
  "telltale.v1.DetectorService/SetDetectorConfig": whole(Scope.OPERATE),
  "telltale.v1.DetectorService/Backtest": whole(Scope.READ),
  "telltale.v1.DetectorService/LabelAlert": Scope.OPERATE,
  "telltale.v1.DetectorService/CreateMaintenanceWindow": whole(Scope.OPERATE),
  "telltale.v1.DetectorService/ListMaintenanceWindows": whole(Scope.READ),
  "telltale.v1.DetectorService/DeleteMaintenanceWindow": whole(Scope.OPERATE),
  "telltale.v1.RegistryService/GetSensor": Scope.READ,
  "telltale.v1.RegistryService/ListSensors": Scope.READ,
  "telltale.v1.RegistryService/UpdateSensor": Scope.OPERATE,
  "telltale.v1.RegistryService/ApplySensors": Scope.OPERATE,
  "telltale.v1.RegistryService/GetAssetTree": Scope.READ,
  "telltale.v1.NotificationService/GetNotificationConfig": whole(Scope.ADMIN),
  "telltale.v1.NotificationService/SetNotificationConfig": whole(Scope.ADMIN),
  "telltale.v1.NotificationService/TestReceiver": whole(Scope.ADMIN),
  // A silence reaches only sensors that its maker may see.
  "telltale.v1.NotificationService/CreateSilence": Scope.OPERATE,
  "telltale.v1.NotificationService/ListSilences": Scope.READ,
  "telltale.v1.NotificationService/GetSilence": Scope.READ,
  "telltale.v1.NotificationService/UpdateSilence": Scope.OPERATE,
  "telltale.v1.NotificationService/ExpireSilence": Scope.OPERATE,
  // Programs that write, as devices do. An alert is within a prefix by its label sensor_id.
  "telltale.v1.NotificationService/ReceiveAlerts": Scope.INGEST,
  "telltale.v1.NotificationService/ListNotifiedAlerts": Scope.READ,
  "telltale.v1.NotificationService/AcknowledgeReceivedAlert": Scope.OPERATE,
  // The configuration is in it for administrators alone.
  "telltale.v1.NotificationService/GetNotificationStatus": Scope.READ,
  "telltale.v1.NotificationService/ListDeliveries": whole(Scope.ADMIN),
  "telltale.v1.NotificationService/ExplainNotification": Scope.READ,
  "telltale.v1.NotificationService/PreviewNotifications": whole(Scope.ADMIN),
  "telltale.v1.NotificationService/GetOnCall": Scope.READ,
  "telltale.v1.NotificationService/ListShifts": Scope.READ,
  "telltale.v1.NotificationService/CreateOverride": whole(Scope.OPERATE),
  "telltale.v1.NotificationService/ListOverrides": Scope.READ,
  "telltale.v1.NotificationService/EndOverride": whole(Scope.OPERATE),
  // Whoever has the link was told of the alert.
  "telltale.v1.NotificationService/GetLinkedAlert": "link",
  "telltale.v1.NotificationService/ActByLink": "link",
  "telltale.v1.NotificationService/RevokeLinks": whole(Scope.ADMIN),
  // As alerts of other programs: within a prefix by the label sensor_id.
  "telltale.v1.NotificationService/SendHeartbeat": Scope.INGEST,
  // The token in the request is the credential.
  "telltale.v1.NotificationService/SendHeartbeatByToken": "link",
  "telltale.v1.NotificationService/ListHeartbeats": Scope.READ,
  // A subscription tells what the caller may see to a service outside, so it needs more than to look.
  "telltale.v1.NotificationService/GetPushSettings": Scope.READ,
  "telltale.v1.NotificationService/SubscribePush": Scope.OPERATE,
  "telltale.v1.NotificationService/ListPushSubscriptions": Scope.READ,
  "telltale.v1.NotificationService/UnsubscribePush": Scope.OPERATE,
  "telltale.v1.IncidentService/ListIncidents": Scope.READ,
  "telltale.v1.IncidentService/GetIncident": Scope.READ,
  "telltale.v1.IncidentService/WatchIncidents": Scope.READ,
  "telltale.v1.IncidentService/AcknowledgeIncident": Scope.OPERATE,
  "telltale.v1.IncidentService/RebuildIncidents": whole(Scope.ADMIN),
  "telltale.v1.RegistryService/RetireSensors": Scope.OPERATE,
  "telltale.v1.RegistryService/RestoreSensors": Scope.OPERATE,
  // Readings that are deleted are gone for good.
  "telltale.v1.RegistryService/DeleteSensor": Scope.ADMIN,
  "telltale.v1.RegistryService/DeleteSensors": Scope.ADMIN,
  // What readers and devices go by is another one from then on.
  "telltale.v1.RegistryService/RenameSensor": Scope.ADMIN,
  "telltale.v1.RegistryService/ListSensorDeletions": Scope.READ,
  "telltale.v1.ReportService/GetFleetReport": whole(Scope.READ),
  "telltale.v1.AdminService/GetCaller": "known",
  // Of the caller alone; of others an administrator's, which the service checks.
  "telltale.v1.AdminService/BeginSession": "known",
  "telltale.v1.AdminService/ListSessions": "known",
  "telltale.v1.AdminService/EndSession": "known",
  "telltale.v1.AdminService/EndSessions": "known",
  // The token in the request is the credential.
  "telltale.v1.AdminService/EndSessionsByLogoutToken": "link",
  "telltale.v1.AdminService/CreateToken": whole(Scope.ADMIN),
  "telltale.v1.AdminService/ListTokens": whole(Scope.ADMIN),
  "telltale.v1.AdminService/RevokeToken": whole(Scope.ADMIN),
  "telltale.v1.AdminService/ListAuditEvents": whole(Scope.ADMIN),
  "telltale.v1.AdminService/ListQuarantinedReadings": whole(Scope.ADMIN),
  "telltale.v1.AdminService/ReplayQuarantinedReading": whole(Scope.ADMIN),
  "telltale.v1.AdminService/DiscardQuarantinedReading": whole(Scope.ADMIN),
  "grpc.health.v1.Health/Check": "public",
  "grpc.health.v1.Health/List": "public",
  "grpc.health.v1.Health/Watch": "public",
  "grpc.reflection.v1.ServerReflection/ServerReflectionInfo": "known",
  "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": "known",
};

/** The rule of an action, "service/method"; throws TelltaleError "forbidden" where there is none. */
export function ruleOf(action: string): Rule {
  if (Object.hasOwn(rules, action)) return rules[action] as Rule;
  throw new TelltaleError("forbidden", `${action} has no rule that allows it`);
}

/** Throws TelltaleError "forbidden" that names what is missing. */
export function checkRule(rule: Rule, principal: Principal): void {
  if (rule === "public" || rule === "known" || rule === "link") return;
  const { scope, whole } = typeof rule === "object" ? rule : { scope: rule, whole: false };
  if (!principal.scopes.has(scope) && !principal.scopes.has(Scope.ADMIN)) {
    throw new TelltaleError("forbidden", `${principal.name} lacks the scope "${scopeName(scope)}"`);
  }
  if (whole && principal.sensorPrefix !== "") {
    throw new TelltaleError(
      "forbidden",
      `${principal.name} is limited to sensors "${principal.sensorPrefix}…", and this call concerns all`,
    );
  }
}

/**
 * Whether a call only looks, or changes what nobody can make a browser change: no page knows a link. What needs no more than to read, or
 * nothing, changes nothing.
 */
export function isSafeFromPages(rule: Rule): boolean {
  return (
    rule === "link" ||
    rule === "public" ||
    rule === "known" ||
    (typeof rule === "object" ? rule.scope : rule) === Scope.READ
  );
}

export function scopeName(scope: Scope): string {
  return enumName(Scope, scope);
}

/** The scope of a name such as "read"; undefined for what is none. */
export function scopeOf(name: string): Scope | undefined {
  const found = enumValue(Scope, name);
  return found === Scope.UNSPECIFIED ? undefined : found;
}
