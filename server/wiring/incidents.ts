import { Deriver } from "../incidents/deriver.ts";
import { countStep } from "../incidents/step-metrics.ts";
import { openStoreSql } from "../store/postgres.ts";
import type { Live } from "./live.ts";
import type { Storage } from "./storage.ts";
import type { Wiring } from "./wiring.ts";

/** A step is a few statements; deriving all again has larger ones. */
const STATEMENT_TIMEOUT_MS = 600_000;

/** Derives incidents, or stands by for the process that does. */
export function wireIncidents(
  { config, metrics, logger, cleanups }: Wiring,
  { address }: Storage,
  { alertsChanged, notices }: Live,
): void {
  const deriver = new Deriver({
    sql: openStoreSql(address, 1, STATEMENT_TIMEOUT_MS, "telltale-incidents"),
    settings: config.incidents,
    logger,
    alertsChanged,
    onStep: (derived) => {
      countStep(metrics, derived);
      if (derived !== undefined && (derived.events > 0 || derived.rebuilt)) notices.publishIncidents();
    },
  });
  cleanups.add("incidents", () => deriver.close());
}
