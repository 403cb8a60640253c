/** The platform's services, on this page's own origin. */
import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { AdminService } from "../../gen/web/telltale/v1/admin_pb.ts";
import { AlertService } from "../../gen/web/telltale/v1/alert_pb.ts";
import { DetectorService } from "../../gen/web/telltale/v1/detector_pb.ts";
import { IncidentService } from "../../gen/web/telltale/v1/incident_pb.ts";
import { NotificationService } from "../../gen/web/telltale/v1/notification_pb.ts";
import { QueryService } from "../../gen/web/telltale/v1/query_pb.ts";
import { RegistryService } from "../../gen/web/telltale/v1/registry_pb.ts";
import { ReportService } from "../../gen/web/telltale/v1/report_pb.ts";
import { WatchService } from "../../gen/web/telltale/v1/watch_pb.ts";

/** Called with the error of each call that failed, also in the middle of a stream. */
const listeners = new Set<(error: unknown) => void>();

export function onCallError(listener: (error: unknown) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const tell: Interceptor = (next) => async (request) => {
  try {
    const response = await next(request);
    return response.stream ? { ...response, message: told(response.message) } : response;
  } catch (error) {
    tellListeners(error);
    throw error;
  }
};

async function* told<T>(messages: AsyncIterable<T>): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    tellListeners(error);
    throw error;
  }
}

function tellListeners(error: unknown): void {
  for (const listener of listeners) listener(error);
}

const transport = createConnectTransport({ baseUrl: location.origin, useBinaryFormat: true, interceptors: [tell] });

function client<S extends DescService>(service: S): Client<S> {
  return createClient(service, transport);
}

export const api = {
  admin: client(AdminService),
  alerts: client(AlertService),
  detector: client(DetectorService),
  incidents: client(IncidentService),
  notifications: client(NotificationService),
  query: client(QueryService),
  registry: client(RegistryService),
  report: client(ReportService),
  watch: client(WatchService),
};
