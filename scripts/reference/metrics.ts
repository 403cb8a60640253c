import type { Registry } from "prom-client";
import { GatewayMetrics } from "../../gateway/metrics.ts";
import { createMetrics } from "../../server/observe/metrics.ts";
import { code, page, paragraph, sentence, table } from "./markdown.ts";

export function metricsPage(): string {
  const intro = paragraph(
    `\`GET /api/v1/monitoring/metrics\` on the HTTP port and \`GET /metrics\` on the gRPC port answer with Prometheus' text format. Beside
    these there are the process and runtime metrics of prom-client (\`process_*\`, \`nodejs_*\`).`,
  );
  const services = createMetrics({ processMetrics: false }).registry;
  return page(
    "Metrics",
    "the registered metrics",
    intro,
    "## Services",
    metricTable(services),
    "## Gateway",
    metricTable(new GatewayMetrics().registry),
  );
}

/** What prom-client keeps of a metric and its types do not tell. */
interface Described {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
}

function metricTable(registry: Registry): string {
  const metrics = (registry.getMetricsAsArray() as unknown as Described[]).toSorted((a, b) =>
    a.name < b.name ? -1 : 1,
  );
  const rows = metrics.map((m) => [code(m.name), typeOf(m), m.labelNames.map(code).join(", "), sentence(m.help)]);
  return table(["Metric", "Type", "Labels", "Meaning"], rows);
}

/** counter, gauge or histogram: its class says so. */
function typeOf(metric: object): string {
  return metric.constructor.name.toLowerCase();
}
