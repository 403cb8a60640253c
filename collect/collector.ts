/** A collector as a process: a source, the spool behind it, its log and metrics, and the orderly end of all. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { systemClock } from "../server/clock.ts";
import { createLogger } from "../server/observe/logger.ts";
import { SampledLines } from "../server/observe/sampled.ts";
import { createScrub } from "../server/observe/scrub.ts";
import { createCounters } from "./counters.ts";
import type { Collector } from "./source.ts";
import { Spool } from "./spool.ts";

const STATUS_EVERY_MS = 60_000;
/** At the end, so long is sent what is in the spool; the rest stays there. */
const FLUSH_MS = 5_000;

/**
 * Collects until the signal aborts.
 *
 * @throws where nothing can be collected or stored any more, whatever is tried
 */
export async function runCollector(collector: Collector, signal: AbortSignal): Promise<void> {
  const { settings, secrets } = collector;
  const scrub = createScrub([process.env.TELLTALE_TOKEN, ...secrets]);
  const logger = createLogger({ level: "info", scrub });
  const counters = createCounters();
  const sampled = new SampledLines(logger);
  const spool = await Spool.open(settings, { counters, logger, sampled });
  counters.waiting.set(spool.pending);
  const stopping = new AbortController();
  const leave = () => stopping.abort(signal.reason);
  signal.addEventListener("abort", leave, { once: true });
  if (signal.aborted) leave();
  let metrics: Server | undefined;
  let status: NodeJS.Timeout | undefined;
  const state = () => ({ ...counters.totals, pending: spool.pending });
  try {
    metrics = await serveMetrics(settings.metricsPort, counters.registry, () => counters.waiting.set(spool.pending));
    const source = await collector.open({ spool, counters, clock: systemClock, logger, sampled });
    logger.info(
      { producer: settings.producer, platform: settings.platform.url, spool: settings.spool.folder },
      "collecting",
    );
    status = setInterval(() => logger.info(state(), "status"), STATUS_EVERY_MS);
    const running = source.run(stopping.signal);
    try {
      await Promise.race([running, spool.failed]);
    } finally {
      stopping.abort(new Error("the collector ends"));
      await running;
    }
  } finally {
    signal.removeEventListener("abort", leave);
    clearInterval(status);
    metrics?.close();
    const left = await spool.close(AbortSignal.timeout(FLUSH_MS));
    logger.info(
      { ...state(), pending: left },
      left === 0 ? "stopped; everything is settled" : "stopped; the rest stays in the spool",
    );
  }
}

async function serveMetrics(
  port: number | undefined,
  registry: ReturnType<typeof createCounters>["registry"],
  refresh: () => void,
): Promise<Server | undefined> {
  if (port === undefined) return undefined;
  const server = createServer(async (request, response) => {
    if (request.method !== "GET" || request.url !== "/metrics") {
      response.writeHead(404).end();
      return;
    }
    refresh();
    response.writeHead(200, { "content-type": registry.contentType }).end(await registry.metrics());
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}
