/**
 * The REST endpoints: one row a path. What a path answers is in names.ts under the same name; its parameters, their limits and
 * the document follow from the contract.
 */

import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { fieldOf, messageOf, methodOf } from "../mesh/contracts.ts";
import type { FieldRow } from "../mesh/tables.ts";
import { restFacade } from "./names.ts";

export interface RouteRow {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Parameters in braces. */
  readonly path: string;
  /** The row of names.ts. */
  readonly name: string;
  readonly tag: "sensors" | "monitoring";
  readonly summary: string;
  /** Text of the 404, where the path can have one. */
  readonly notFound?: string;
  /** What a 409 means here, where it is not what it means of readings. */
  readonly conflict?: string;
  /** Names that it does not have are refused. On the paths that clients of before know they are ignored, with a warning. */
  readonly refusesUnknown?: true;
  /**
   * "mesh": SOFA over the supergraph. "direct": the same row run without GraphQL in between, for the paths whose rate matters
   * (docs/decisions/gateway-post.md has the figures), and for those with a text in their path: the URL that SOFA is called by would
   * lose an id such as "..".
   */
  readonly via: "mesh" | "direct";
}

/** Other paths of one name behind /sensors/ come first: a sensor that is called "data" or "alerts" has none by REST. */
const SENSOR_PATH = "/api/v1/sensors/{sensor_id}";
const SENSOR_NOT_FOUND = "Sensor not found";
const SILENCE_PATH = "/api/v1/silences/{id}";
const SILENCE_NOT_FOUND = "Silence not found";
const REVISION_CONFLICT = "The profile is at another revision: read it again.";

const ROUTES: readonly RouteRow[] = [
  {
    method: "POST",
    path: "/api/v1/sensors/data",
    name: "submit_sensor_data",
    tag: "sensors",
    summary: "Store a reading",
    via: "direct",
  },
  {
    method: "GET",
    path: "/api/v1/sensors/data",
    name: "list_sensor_data",
    tag: "sensors",
    summary: "List readings, newest first",
    via: "direct",
  },
  {
    method: "GET",
    path: "/api/v1/sensors/data/{sensor_id}/latest",
    name: "latest_sensor_data",
    tag: "sensors",
    summary: "A sensor's newest reading",
    notFound: "Sensor data not found",
    via: "direct",
  },
  {
    method: "GET",
    path: "/api/v1/sensors",
    name: "list_sensors",
    refusesUnknown: true,
    tag: "sensors",
    summary: "Search, match and sort sensors",
    // A parameter may be given several times, which SOFA would lose.
    via: "direct",
  },
  {
    method: "GET",
    path: SENSOR_PATH,
    name: "get_sensor",
    refusesUnknown: true,
    tag: "sensors",
    summary: "A sensor as people know it",
    notFound: SENSOR_NOT_FOUND,
    via: "direct",
  },
  {
    method: "PUT",
    path: SENSOR_PATH,
    name: "replace_sensor",
    refusesUnknown: true,
    tag: "sensors",
    summary: "Set the whole profile of a sensor",
    conflict: REVISION_CONFLICT,
    via: "direct",
  },
  {
    method: "PATCH",
    path: SENSOR_PATH,
    name: "change_sensor",
    refusesUnknown: true,
    tag: "sensors",
    summary: "Change fields of the profile of a sensor",
    conflict: REVISION_CONFLICT,
    via: "direct",
  },
  {
    method: "DELETE",
    path: SENSOR_PATH,
    name: "delete_sensor",
    refusesUnknown: true,
    tag: "sensors",
    summary: "Delete a sensor with all that is stored of it",
    notFound: SENSOR_NOT_FOUND,
    conflict: "The sensor is sending: stop the device, or give while_sending.",
    via: "direct",
  },
  {
    method: "POST",
    path: `${SENSOR_PATH}/retire`,
    name: "retire_sensor",
    refusesUnknown: true,
    tag: "sensors",
    summary: "Retire a sensor",
    notFound: SENSOR_NOT_FOUND,
    via: "direct",
  },
  {
    method: "POST",
    path: `${SENSOR_PATH}/restore`,
    name: "restore_sensor",
    refusesUnknown: true,
    tag: "sensors",
    summary: "Take the retirement of a sensor back",
    notFound: SENSOR_NOT_FOUND,
    via: "direct",
  },
  {
    method: "POST",
    path: `${SENSOR_PATH}/rename`,
    name: "rename_sensor",
    refusesUnknown: true,
    tag: "sensors",
    summary: "Give a sensor another id",
    notFound: SENSOR_NOT_FOUND,
    conflict: "The new id is that of another sensor, or what was stored under it is still being removed.",
    via: "direct",
  },
  {
    method: "GET",
    path: "/api/v1/sensor-deletions",
    name: "list_sensor_deletions",
    refusesUnknown: true,
    tag: "sensors",
    summary: "Deletions of sensors and how far they are, newest first",
    // Its next page stands in a header, which SOFA would lose.
    via: "direct",
  },
  {
    method: "GET",
    path: "/api/v1/sensors/alerts",
    name: "list_alerts",
    tag: "sensors",
    summary: "List alerts, newest first",
    // Its next page stands in a header, which SOFA would lose.
    via: "direct",
  },
  {
    method: "POST",
    path: "/api/v1/sensors/alerts/{alert_id}/resolve",
    name: "resolve_alert",
    tag: "sensors",
    summary: "Close an alert by hand",
    notFound: "Alert not found",
    via: "mesh",
  },
  {
    method: "GET",
    path: "/api/v1/charts/series",
    name: "series",
    refusesUnknown: true,
    tag: "sensors",
    summary: "Readings of some sensors as a chart draws them",
    via: "direct",
  },
  {
    method: "GET",
    path: "/api/v1/charts/heatmap",
    name: "anomaly_heatmap",
    refusesUnknown: true,
    tag: "sensors",
    summary: "Which sensors were anomalous when, the worst first",
    via: "direct",
  },
  {
    method: "GET",
    path: "/api/v1/incidents",
    name: "list_incidents",
    refusesUnknown: true,
    tag: "sensors",
    summary: "List alerts that belong together, newest first",
    via: "direct",
  },
  {
    method: "GET",
    path: "/api/v1/incidents/{incident_id}",
    name: "get_incident",
    refusesUnknown: true,
    tag: "sensors",
    summary: "An incident with its alerts",
    notFound: "Incident not found",
    via: "direct",
  },
  {
    method: "GET",
    path: "/api/v1/detector/forecast",
    name: "forecast",
    refusesUnknown: true,
    tag: "sensors",
    summary: "Where a sensor's readings are heading, with intervals",
    notFound: SENSOR_NOT_FOUND,
    via: "direct",
  },
  {
    method: "GET",
    path: "/api/v1/silences",
    name: "list_silences",
    refusesUnknown: true,
    tag: "monitoring",
    summary: "List silences, newest first",
    // Its next page stands in a header, which SOFA would lose.
    via: "direct",
  },
  {
    method: "POST",
    path: "/api/v1/silences",
    name: "create_silence",
    refusesUnknown: true,
    tag: "monitoring",
    summary: "Keep notifications of matching alerts back for a time",
    via: "direct",
  },
  {
    method: "GET",
    path: SILENCE_PATH,
    name: "get_silence",
    refusesUnknown: true,
    tag: "monitoring",
    summary: "A silence, also where it is over",
    notFound: SILENCE_NOT_FOUND,
    via: "direct",
  },
  {
    method: "PUT",
    path: SILENCE_PATH,
    name: "update_silence",
    refusesUnknown: true,
    tag: "monitoring",
    summary: "Change a silence, or put another in its place",
    notFound: SILENCE_NOT_FOUND,
    via: "direct",
  },
  {
    method: "DELETE",
    path: SILENCE_PATH,
    name: "expire_silence",
    refusesUnknown: true,
    tag: "monitoring",
    summary: "End a silence now",
    notFound: "There is no such silence, or it is over.",
    via: "direct",
  },
  {
    method: "GET",
    path: "/api/v1/detector/settings",
    name: "detector_settings",
    refusesUnknown: true,
    tag: "sensors",
    summary: "The detector's settings of a sensor, a type, or all types",
    notFound: "Sensor not found",
    via: "direct",
  },
  {
    method: "POST",
    path: "/api/v1/detector/settings",
    name: "set_detector_settings",
    refusesUnknown: true,
    tag: "sensors",
    summary: "Replace the settings of a sensor, a type, or all types",
    via: "direct",
  },
  {
    method: "POST",
    path: "/api/v1/detector/settings/dry-run",
    name: "try_detector_settings",
    refusesUnknown: true,
    tag: "sensors",
    summary: "What other settings would have done to recent alerts",
    via: "direct",
  },
  {
    method: "GET",
    path: "/api/v1/monitoring/health",
    name: "platform_health",
    tag: "monitoring",
    summary: "Whether each part of the platform answers",
    via: "mesh",
  },
  {
    method: "GET",
    path: "/api/v1/monitoring/stats",
    name: "platform_stats",
    tag: "monitoring",
    summary: "Counts over everything stored",
    via: "mesh",
  },
  {
    method: "GET",
    path: "/api/v1/monitoring/sensors/status",
    name: "sensors_status",
    tag: "monitoring",
    summary: "Sensors with their newest reading",
    via: "mesh",
  },
];

export interface Parameter {
  readonly name: string;
  readonly field: DescField;
  readonly where: "path" | "query" | "body";
  /** Taken where the request does not give it. */
  readonly default?: number;
}

export interface Route extends RouteRow {
  readonly row: FieldRow;
  readonly parameters: readonly Parameter[];
  /** Its fields are the body's. */
  readonly body?: DescMessage;
}

export const routes: readonly Route[] = ROUTES.map((route) => {
  const row = restFacade.rows.find((candidate) => candidate.name === route.name);
  if (row === undefined) throw new Error(`The route ${route.path} names no row of rest/names.ts.`);
  const message = row.message === undefined ? methodOf(row.rpc).input : messageOf(row.message);
  const inPath = [...route.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!);
  const takesBody = route.method !== "GET" && message.fields.some(({ name }) => !inPath.includes(name));
  const rest = takesBody && row.message !== undefined ? "body" : "query";
  const parameters = message.fields
    .filter((field) => row.args?.[field.name] !== null)
    .map((field): Parameter => {
      const given = /= (\d+)$/.exec(row.args?.[field.name] ?? "")?.[1];
      return {
        name: field.name,
        field: fieldOf(message, field.name),
        where: inPath.includes(field.name) ? "path" : rest,
        ...(given === undefined ? {} : { default: Number(given) }),
      };
    });
  return { ...route, row, parameters, ...(rest === "body" ? { body: message } : {}) };
});
