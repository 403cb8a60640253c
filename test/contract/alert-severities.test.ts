/** How an alert came to its severity, told with the alert. */
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AlertService } from "../../gen/es/telltale/v1/alert_pb.ts";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { Severity } from "../../gen/es/telltale/v1/reading_pb.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { timestampOf } from "../../web/app/format.ts";

const COUNT = 120;
let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform();
}, 120_000);
afterAll(() => platform?.stop());

test("an alert says with which severity it opened, and when it was raised to which", async () => {
  const transport = createConnectTransport({ baseUrl: platform.http, httpVersion: "1.1" });
  const [ingest, alerts] = [createClient(IngestService, transport), createClient(AlertService, transport)];
  const firstMs = Date.now() - 2 * COUNT * 1_000;
  const values = Array.from({ length: COUNT }, (_, i) => 20 + Math.sin(i) / 10);
  const readings = [...values, 20.6, 20.8, 500, 501].map((value, i) => ({
    ...{ sensorId: "press", sensorType: "temperature", unit: "C", value },
    observedAt: timestampOf(firstMs + i * 1_000),
  }));
  await ingest.submitReadings({ readings });
  const [listed] = (await alerts.listAlerts({ sensorId: "press" })).alerts;
  const { alert, severitySteps } = await alerts.getAlert({ alertId: listed!.id });
  // The first two are a little above, the others far.
  expect(severitySteps).toMatchObject([
    { severity: Severity.LOW, at: timestampOf(firstMs + COUNT * 1_000) },
    { severity: Severity.CRITICAL, at: timestampOf(firstMs + (COUNT + 2) * 1_000) },
  ]);
  expect(severitySteps[0]!.at).toEqual(alert!.openedAt);
  expect(severitySteps[1]!.severity).toBe(alert!.severity);
  expect(severitySteps[1]!.anomalyScore).toBeGreaterThan(severitySteps[0]!.anomalyScore);
});
