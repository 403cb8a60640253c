import { AddressGuard } from "../notify/channels/addresses.ts";
import { LinkKeys } from "../notify/links/keys.ts";
import { Notifier } from "../notify/notifier.ts";
import { countAttempt, countStep } from "../notify/notify-metrics.ts";
import { Pictures } from "../notify/pictures/pictures.ts";
import { createBrowsers } from "../notify/push/browsers.ts";
import { openStoreSql } from "../store/postgres.ts";
import type { Live } from "./live.ts";
import type { Storage } from "./storage.ts";
import type { Wiring } from "./wiring.ts";

const STATEMENT_TIMEOUT_MS = 60_000;

/** Notifies, or stands by for the process that does. */
export function wireNotify(
  { config, clock, metrics, logger, cleanups }: Wiring,
  { address, sql, queries }: Storage,
  { notifiableChanged }: Live,
): void {
  const { enabled, lifetimeUs, keys: given } = config.links;
  const keys = new LinkKeys({ sql, clock, environment: process.env, given });
  const pictures = new Pictures({
    ...{ queries, clock, logger },
    onOutcome: (outcome) => metrics.notifyPictures.inc({ outcome }),
  });
  cleanups.add("pictures of alerts", () => pictures.close());
  const notifier = new Notifier({
    planSql: openStoreSql(address, 1, STATEMENT_TIMEOUT_MS, "telltale-notify"),
    ...{ sql, clock, logger, changes: notifiableChanged, externalUrl: config.externalUrl },
    channels: {
      addresses: new AddressGuard(config.notifyAllowedHosts),
      environment: process.env,
      clock,
      source: config.externalUrl || "/telltale",
      browsers: createBrowsers({ sql, clock, given: config.pushKey }),
      pictureOf: (alert, options) => pictures.of(alert, options),
    },
    links: enabled ? { keys, lifetimeUs, logger } : undefined,
    onStep: (step) => countStep(metrics, step),
    onPing: ({ kind }) => metrics.notifyPings.inc({ outcome: kind }),
    onAttempt: (delivery, sent) => countAttempt(metrics, delivery, sent, clock.nowUs()),
  });
  cleanups.add("notifications", () => notifier.close());
}
