import type { Census } from "../ingest/accept.ts";
import { Ingestor } from "../ingest/ingestor.ts";
import { partitionOf, SeriesTable } from "../ingest/series.ts";
import { DAY_US } from "../lib/time.ts";
import { SampledLines } from "../observe/sampled.ts";
import { SensorCensus } from "../store/census.ts";
import type { Live } from "./live.ts";
import type { Storage } from "./storage.ts";
import type { Wiring } from "./wiring.ts";

/** The one way in for readings. They are taken by the names that all such processes know. */
export async function wireIngest(w: Wiring, storage: Storage, live: Live): Promise<Ingestor> {
  const { config, clock, metrics, logger } = w;
  const { log, names } = storage;
  const table = new SeriesTable(log.partitions, (sensorId) => names.current.keyOf(sensorId));
  await names.readBy({
    changed: () => table.forget(),
    settled: async (ids) => {
      const partitions = new Set(ids.map((id) => partitionOf(id, log.partitions)));
      await Promise.all([...partitions].map((partition) => live.submitter.caughtUp(partition)));
    },
  });
  return new Ingestor({
    submitter: live.submitter,
    table,
    clock,
    metrics,
    refused: new SampledLines(logger),
    maxAheadUs: config.maxClockAheadMs * 1000,
    retentionUs: config.retentionDays * DAY_US,
    census: await openCensus(w, storage),
  });
}

/** Undefined where there may be any number of sensors. */
async function openCensus(
  { config, clock, logger, cleanups }: Wiring,
  { sql, names }: Storage,
): Promise<Census | undefined> {
  const { limitSensorsTotal: limit } = config;
  if (limit === 0) return undefined;
  const census = new SensorCensus({ sql, clock, logger, limit });
  await census.start();
  cleanups.add("number of sensors", () => census.stop());
  names.onChange(() => census.renamed());
  // An id that leads to a sensor begins none.
  return {
    limit,
    mayBegin: (sensorId) => names.current.has(sensorId) || census.mayBegin(sensorId),
    begin: (sensorId) => (names.current.has(sensorId) ? undefined : census.begin(sensorId)),
  };
}
