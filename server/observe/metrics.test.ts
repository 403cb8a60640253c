import { describe, expect, it } from "vitest";
import { createMetrics } from "./metrics.ts";

describe("the metrics", () => {
  it("carry the four names that people know, and those of the process", async () => {
    const metrics = createMetrics();
    metrics.countStored("temperature", 3);
    metrics.anomaliesDetected.inc({ severity: "high" });
    metrics.dataProcessingSeconds.observe(0.02);
    metrics.activeSensors.set(7);
    const text = await metrics.text();
    for (const line of [
      'sensor_data_total{sensor_type="temperature"} 3',
      'anomalies_detected_total{severity="high"} 1',
      "data_processing_seconds_count 1",
      "active_sensors_count 7",
    ]) {
      expect(text).toContain(`${line}\n`);
    }
    expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds /m);
    expect(text).toMatch(/^process_resident_memory_bytes /m);
    metrics.registry.clear();
  });

  it("stay bounded when a device invents sensor types", async () => {
    const metrics = createMetrics({ processMetrics: false });
    for (let type = 0; type < 5_000; type++) metrics.countStored(`type-${type}`, 1);
    const series = (await metrics.text()).split("\n").filter((line) => line.startsWith("sensor_data_total{"));
    expect(series).toHaveLength(1_001);
    expect(series).toContain('sensor_data_total{sensor_type="other"} 4000');
  });

  it("of two platforms in one process do not mix", async () => {
    const [one, other] = [createMetrics({ processMetrics: false }), createMetrics({ processMetrics: false })];
    one.activeSensors.set(1);
    expect(await other.text()).toContain("active_sensors_count 0");
  });
});
