import { toJsonString } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { type Alert, AlertSchema, AlertService } from "../gen/es/telltale/v1/alert_pb.ts";
import { QueryService } from "../gen/es/telltale/v1/query_pb.ts";
import { type ScoredReading, ScoredReadingSchema } from "../gen/es/telltale/v1/reading_pb.ts";

/** Every stored reading of a sensor, newest first, page by page. */
export async function allReadings(grpc: string, sensorId: string): Promise<ScoredReading[]> {
  const service = createClient(QueryService, createGrpcTransport({ baseUrl: grpc }));
  const all: ScoredReading[] = [];
  for (let pageToken = ""; ; ) {
    const { readings, nextPageToken } = await service.listReadings({ sensorId, limit: 1000, pageToken });
    all.push(...readings);
    if (nextPageToken === "") return all;
    pageToken = nextPageToken;
  }
}

/** The values of every stored reading of a sensor, oldest first. */
export async function allValues(grpc: string, sensorId: string): Promise<number[]> {
  return (await allReadings(grpc, sensorId)).map(({ value }) => value).reverse();
}

/** Everything about a reading but its id, which tells where in the log it stands. */
export function withoutId(reading: ScoredReading): string {
  return toJsonString(ScoredReadingSchema, { ...reading, id: 0n });
}

export async function allAlerts(grpc: string, sensorId: string): Promise<Alert[]> {
  const service = createClient(AlertService, createGrpcTransport({ baseUrl: grpc }));
  return (await service.listAlerts({ sensorId, limit: 1000 })).alerts;
}

/** Everything about an alert but its id, which is its first reading's. */
export function alertWithoutId(alert: Alert): string {
  return toJsonString(AlertSchema, { ...alert, id: 0n });
}
