"""Counts by OpenTelemetry's SDK, and exports each count by gRPC: python otel_counter.py URL"""

from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExportResult, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from until_closed import PACE_S, address, closed, stored


class Telling(OTLPMetricExporter):
    def export(self, metrics_data, timeout_millis=10_000, **more):
        result = super().export(metrics_data, timeout_millis, **more)
        if result is MetricExportResult.SUCCESS:
            for resource in metrics_data.resource_metrics:
                for scope in resource.scope_metrics:
                    for metric in scope.metrics:
                        for point in metric.data.data_points:
                            stored(point.time_unix_nano // 1000, point.value)
        return result


exporter = Telling(endpoint=address, insecure=True)
reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
provider = MeterProvider(metric_readers=[reader], resource=Resource({"service.name": "python"}))
counter = provider.get_meter("plant").create_counter("counted")
while not closed.wait(PACE_S):
    counter.add(1)
    provider.force_flush()
