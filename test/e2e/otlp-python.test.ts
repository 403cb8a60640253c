/** OpenTelemetry's SDK for Python sends its metrics over HTTP and gRPC. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, it } from "vitest";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { describeWith } from "../../testing/needs.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { OPENTELEMETRY, pythonWith } from "../../testing/python.ts";

const run = promisify(execFile);

const PROGRAM = `
import sys
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

form, address = sys.argv[1:]
if form == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    exporter = OTLPMetricExporter(endpoint=address, insecure=True)
else:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    exporter = OTLPMetricExporter(endpoint=address + "/v1/metrics")
reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
provider = MeterProvider(metric_readers=[reader], resource=Resource({"service.name": form}))
meter = provider.get_meter("plant")
meter.create_counter("parts").add(3, {"press": 7})
meter.create_histogram("cycle", unit="s").record(2.5)
assert provider.force_flush()
provider.shutdown()
`;

describeWith(["python3"], "OpenTelemetry's SDK for Python", () => {
  let platform: Platform;
  let bin: string;
  beforeAll(async () => {
    [platform, bin] = await Promise.all([startPlatform(), pythonWith(OPENTELEMETRY)]);
  }, 300_000);
  afterAll(() => platform?.stop());

  it.each(["http", "grpc"] as const)(
    "stores its metrics by %s",
    async (form) => {
      await run(join(bin, "python"), ["-c", PROGRAM, form, platform[form]]);
      const query = createClient(QueryService, createGrpcTransport({ baseUrl: platform.grpc }));
      const newest = async (sensorId: string) => (await query.getLatestReading({ sensorId })).reading?.value;
      expect(await newest(`parts{press="7",service.name="${form}"}`)).toBe(3);
      expect(await newest(`cycle_sum{service.name="${form}"}`)).toBe(2.5);
    },
    60_000,
  );
});
