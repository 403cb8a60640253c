/** The gateway's own metrics, shown after the server's on the one page. */
import { Counter, Gauge, Histogram, Registry } from "prom-client";

export class GatewayMetrics {
  readonly registry = new Registry();
  readonly requests = new Counter({
    name: "gateway_requests_total",
    help: "Requests answered, by route and status.",
    labelNames: ["route", "method", "status"],
    registers: [this.registry],
  });
  readonly seconds = new Histogram({
    name: "gateway_request_seconds",
    help: "Time from a request's arrival to its answer's last byte.",
    labelNames: ["route"],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers: [this.registry],
  });
  readonly unknownNames = new Counter({
    name: "gateway_unknown_names_total",
    help: "Query parameters and body fields that were ignored because no parameter has their name.",
    labelNames: ["route", "where"],
    registers: [this.registry],
  });
  readonly websockets = new Gauge({
    name: "gateway_websockets",
    help: "GraphQL websockets open.",
    registers: [this.registry],
  });
  readonly subscriptions = new Gauge({
    name: "gateway_subscriptions",
    help: "GraphQL subscriptions running over websockets.",
    registers: [this.registry],
  });
  readonly dropped = new Counter({
    name: "gateway_websockets_dropped_total",
    help: "Websockets closed by the gateway, by reason.",
    labelNames: ["reason"],
    registers: [this.registry],
  });

  /** The server's text with ours after it. */
  async text(servers: string): Promise<string> {
    const own = await this.registry.metrics();
    return servers === "" || servers.endsWith("\n") ? servers + own : `${servers}\n${own}`;
  }
}
