/**
 * The REST doors: one row a path. What a path answers stands in names.ts under the same name; its parameters, their limits and
 * the document follow from the contract.
 */

import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { fieldOf, messageOf, methodOf } from "../mesh/contracts.ts";
import type { FieldRow } from "../mesh/tables.ts";
import { restFacade } from "./names.ts";

export interface RouteRow {
  readonly method: "GET" | "POST";
  /** Parameters in braces. */
  readonly path: string;
  /** The row of names.ts. */
  readonly name: string;
  readonly tag: "sensors" | "monitoring";
  readonly summary: string;
  /** Text of the 404, where the path can have one. */
  readonly notFound?: string;
  /**
   * "mesh": SOFA over the supergraph. "short": the same row run without GraphQL in between, for the paths whose rate matters
   * (docs/decisions/gateway-post.md has the figures).
   */
  readonly way: "mesh" | "short";
}

const ROUTES: readonly RouteRow[] = [
  {
    method: "POST",
    path: "/api/v1/sensors/data",
    name: "submit_sensor_data",
    tag: "sensors",
    summary: "Store a reading",
    way: "short",
  },
  {
    method: "GET",
    path: "/api/v1/sensors/data",
    name: "list_sensor_data",
    tag: "sensors",
    summary: "List readings, newest first",
    way: "short",
  },
  {
    method: "GET",
    path: "/api/v1/sensors/data/{sensor_id}/latest",
    name: "latest_sensor_data",
    tag: "sensors",
    summary: "A sensor's newest reading",
    notFound: "Sensor data not found",
    way: "mesh",
  },
  {
    method: "GET",
    path: "/api/v1/sensors/alerts",
    name: "list_alerts",
    tag: "sensors",
    summary: "List alerts, newest first",
    way: "mesh",
  },
  {
    method: "POST",
    path: "/api/v1/sensors/alerts/{alert_id}/resolve",
    name: "resolve_alert",
    tag: "sensors",
    summary: "Close an alert by hand",
    notFound: "Alert not found",
    way: "mesh",
  },
  {
    method: "GET",
    path: "/api/v1/monitoring/health",
    name: "platform_health",
    tag: "monitoring",
    summary: "Whether each part of the platform answers",
    way: "mesh",
  },
  {
    method: "GET",
    path: "/api/v1/monitoring/stats",
    name: "platform_stats",
    tag: "monitoring",
    summary: "Counts over everything stored",
    way: "mesh",
  },
  {
    method: "GET",
    path: "/api/v1/monitoring/sensors/status",
    name: "sensors_status",
    tag: "monitoring",
    summary: "Sensors with their newest reading",
    way: "mesh",
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
  const rest = route.method === "POST" && row.message !== undefined ? "body" : "query";
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
