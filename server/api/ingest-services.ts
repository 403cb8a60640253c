/** Services whose calls bring readings, beside those of protocols over plain HTTP. */
import type { DescService } from "@bufbuild/protobuf";
import { MetricsService } from "../../gen/es/opentelemetry/proto/collector/metrics/v1/metrics_service_pb.ts";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";

const NAMES: ReadonlySet<string> = new Set([IngestService.typeName, MetricsService.typeName]);

export function takesReadings({ typeName }: Pick<DescService, "typeName">): boolean {
  return NAMES.has(typeName);
}
