import type { DescService } from "@bufbuild/protobuf";
import { Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { TelltaleError } from "../errors.ts";
import type { Principal } from "../rpc/principal.ts";

/**
 * What a call needs. "public": nothing. "known": any valid credential. A scope: that scope, or admin. `whole`: it concerns
 * every sensor, so a principal that is limited to a prefix may not make it.
 */
export type Rule = "public" | "known" | Scope | { readonly scope: Scope; readonly whole: true };

const whole = (scope: Scope): Rule => ({ scope, whole: true });

/**
 * The one table, by "service/method". What is not in it is refused to everybody. GraphQL and REST stand on the same calls and
 * pass the caller's credential on, so it holds for them too.
 */
export const rules: Readonly<Record<string, Rule>> = {
  "telltale.v1.IngestService/StreamReadings": Scope.INGEST,
  "telltale.v1.IngestService/SubmitReadings": Scope.INGEST,
  "telltale.v1.QueryService/ListReadings": Scope.READ,
  "telltale.v1.QueryService/GetLatestReading": Scope.READ,
  "telltale.v1.QueryService/BatchGetLatestReadings": Scope.READ,
  "telltale.v1.QueryService/GetSensorStats": Scope.READ,
  "telltale.v1.QueryService/GetPlatformStats": whole(Scope.READ),
  "telltale.v1.QueryService/ListSensors": Scope.READ,
  "telltale.v1.QueryService/AggregateReadings": Scope.READ,
  // Names of parts and whether they answer: probes need it, and it tells nothing of any sensor.
  "telltale.v1.QueryService/GetPlatformHealth": "public",
  "telltale.v1.WatchService/WatchReadings": Scope.READ,
  "telltale.v1.WatchService/WatchAlerts": Scope.READ,
  "telltale.v1.AlertService/ListAlerts": Scope.READ,
  "telltale.v1.AlertService/GetAlert": Scope.READ,
  "telltale.v1.AlertService/AcknowledgeAlert": Scope.OPERATE,
  "telltale.v1.AlertService/ResolveAlert": Scope.OPERATE,
  "telltale.v1.DetectorService/ExplainReading": Scope.READ,
  "telltale.v1.DetectorService/GetDetectorConfig": Scope.READ,
  "telltale.v1.DetectorService/SetDetectorConfig": whole(Scope.OPERATE),
  "telltale.v1.DetectorService/Backtest": whole(Scope.READ),
  "telltale.v1.DetectorService/LabelAlert": Scope.OPERATE,
  "telltale.v1.DetectorService/CreateMaintenanceWindow": whole(Scope.OPERATE),
  "telltale.v1.DetectorService/ListMaintenanceWindows": whole(Scope.READ),
  "telltale.v1.DetectorService/DeleteMaintenanceWindow": whole(Scope.OPERATE),
  "telltale.v1.ReportService/GetFleetReport": whole(Scope.READ),
  "telltale.v1.AdminService/CreateToken": whole(Scope.ADMIN),
  "telltale.v1.AdminService/ListTokens": whole(Scope.ADMIN),
  "telltale.v1.AdminService/RevokeToken": whole(Scope.ADMIN),
  "telltale.v1.AdminService/ListAuditEvents": whole(Scope.ADMIN),
  "grpc.health.v1.Health/Check": "public",
  "grpc.health.v1.Health/List": "public",
  "grpc.health.v1.Health/Watch": "public",
  "grpc.reflection.v1.ServerReflection/ServerReflectionInfo": "known",
  "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": "known",
};

/** The rule of a call; throws TelltaleError "forbidden" where there is none. */
export function ruleOf(service: DescService, method: { readonly name: string }): Rule {
  const name = `${service.typeName}/${method.name}`;
  if (Object.hasOwn(rules, name)) return rules[name] as Rule;
  throw new TelltaleError("forbidden", `${name} has no rule that allows it`);
}

/** Throws TelltaleError "forbidden" that names what is missing. */
export function checkRule(rule: Rule, principal: Principal): void {
  if (rule === "public" || rule === "known") return;
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

export function scopeName(scope: Scope): string {
  return (Object.entries(Scope).find(([, number]) => number === scope)?.[0] ?? String(scope)).toLowerCase();
}

/** The scope of a name such as "read"; undefined for what is none. */
export function scopeOf(name: string): Scope | undefined {
  const found = Object.entries(Scope).find(([each]) => each === name.toUpperCase())?.[1];
  return found === Scope.UNSPECIFIED ? undefined : found;
}
