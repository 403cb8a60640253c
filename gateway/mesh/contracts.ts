/** The contracts' own descriptors, by name: what every facade is derived from. */
import { createRegistry, type DescField, type DescMessage, type DescMethod } from "@bufbuild/protobuf";
import { file_telltale_v1_admin } from "../../gen/es/telltale/v1/admin_pb.ts";
import { file_telltale_v1_alert } from "../../gen/es/telltale/v1/alert_pb.ts";
import { file_telltale_v1_chart } from "../../gen/es/telltale/v1/chart_pb.ts";
import { file_telltale_v1_detector } from "../../gen/es/telltale/v1/detector_pb.ts";
import { file_telltale_v1_incident } from "../../gen/es/telltale/v1/incident_pb.ts";
import { file_telltale_v1_ingest } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { file_telltale_v1_notification } from "../../gen/es/telltale/v1/notification_pb.ts";
import { file_telltale_v1_query } from "../../gen/es/telltale/v1/query_pb.ts";
import { file_telltale_v1_reading } from "../../gen/es/telltale/v1/reading_pb.ts";
import { file_telltale_v1_registry } from "../../gen/es/telltale/v1/registry_pb.ts";
import { file_telltale_v1_watch } from "../../gen/es/telltale/v1/watch_pb.ts";

const registry = createRegistry(
  file_telltale_v1_reading,
  file_telltale_v1_ingest,
  file_telltale_v1_chart,
  file_telltale_v1_query,
  file_telltale_v1_watch,
  file_telltale_v1_alert,
  file_telltale_v1_detector,
  file_telltale_v1_admin,
  file_telltale_v1_incident,
  file_telltale_v1_registry,
  file_telltale_v1_notification,
);

export const PACKAGE = "telltale.v1";

/** @throws Error where the contracts have no such RPC: a row of a table is wrong. */
export function methodOf(rpc: string): DescMethod {
  const [serviceName, methodName] = rpc.split(".");
  const service = registry.getService(`${PACKAGE}.${serviceName}`);
  const method = service?.methods.find((candidate) => candidate.name === methodName);
  if (method === undefined) throw new Error(`The contracts have no RPC ${rpc}; the row that names it must change.`);
  return method;
}

/** @throws Error where the contracts have no such message. */
export function messageOf(fullName: string): DescMessage {
  const message = registry.getMessage(fullName);
  if (message === undefined) throw new Error(`The contracts have no message ${fullName}.`);
  return message;
}

/** @throws Error where the message has no such field. */
export function fieldOf(message: DescMessage, name: string): DescField {
  const field = message.fields.find((candidate) => candidate.name === name);
  if (field === undefined)
    throw new Error(`${message.typeName} has no field ${name}; the table that names it must change.`);
  return field;
}

/** The field's name in a facade: sensor_id, or sensorId. */
export function outsideName(field: DescField, naming: "camel" | "snake"): string {
  return naming === "snake" ? field.name : field.jsonName;
}
