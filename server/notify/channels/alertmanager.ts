/**
 * An Alertmanager that somebody has: `POST /api/v2/alerts`. It knows alerts by their labels and forgets them unless they are sent again, so
 * each has an end that lies ahead of the next sending: see `deliveries/refresh.ts`.
 */
import { isoTime, toTimestamp } from "../../lib/time.ts";
import type { Channel } from "../channel.ts";
import type { AlertmanagerConfig } from "../config/config.ts";
import type { NotifiedAlert } from "../message.ts";
import { bounded } from "./bounded.ts";
import { httpChannel, json, type Posted } from "./http-channel.ts";
import { MAX_ALERTS_TO_ALERTMANAGER } from "./limits.ts";
import type { ChannelOptions } from "./options.ts";
import { below } from "./texts.ts";

/** Open alerts are sent again as often as Prometheus does it. */
export const REFRESH_MS = 60_000;
/** As Prometheus has it: three sendings may be missed. */
const ENDS_AHEAD_US = 4 * REFRESH_MS * 1_000;

interface PostableAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly generatorURL?: string;
}

export function alertmanager(config: AlertmanagerConfig, options: ChannelOptions): Channel {
  const outgoing = ({ url, message }: Posted) => {
    const address = below(url, "api/v2/alerts");
    const { alerts, externalUrl } = bounded(message, 0);
    const nowUs = options.clock.nowUs();
    const all = alerts.flatMap((alert) => postable(alert, { nowUs, externalUrl }));
    const bodies: Buffer[] = [];
    for (let at = 0; at < all.length; at += MAX_ALERTS_TO_ALERTMANAGER) {
      bodies.push(json(all.slice(at, at + MAX_ALERTS_TO_ALERTMANAGER)));
    }
    return bodies.map((body) => ({ address, body }));
  };
  return httpChannel({ kind: "alertmanager", what: "the Alertmanager", outgoing }, config, options);
}

/** The alert, and the end of what it was before its severity changed: with another severity it is another alert there. */
function postable(
  alert: NotifiedAlert,
  { nowUs, externalUrl }: { nowUs: number; externalUrl: string },
): PostableAlert[] {
  const { labels, annotations, status, startsUs, endsUs = nowUs, generatorUrl = externalUrl } = alert;
  const { toldSeverity = labels.severity ?? "" } = alert;
  const withSeverity = (severity: string, untilUs: number): PostableAlert => ({
    labels: validLabels({ ...labels, severity }),
    annotations: validLabels(annotations),
    startsAt: time(startsUs),
    endsAt: time(untilUs),
    ...(generatorUrl !== "" && { generatorURL: generatorUrl }),
  });
  // An end before the beginning, or ahead of this clock, would be refused or not yet be one.
  const over = withSeverity(toldSeverity, Math.max(startsUs, Math.min(endsUs, nowUs)));
  if (status === "resolved") return [over];
  const open = withSeverity(labels.severity ?? "", nowUs + ENDS_AHEAD_US);
  return toldSeverity === (labels.severity ?? "") ? [open] : [over, open];
}

/** Names as Alertmanager takes them; of two that become the same the first in order stays. An empty value is the same as none. */
function validLabels(labels: Readonly<Record<string, string>>): Record<string, string> {
  const valid: Record<string, string> = {};
  for (const name of Object.keys(labels).sort()) {
    const value = labels[name]!.toWellFormed();
    const as = name.replace(/[^A-Za-z0-9_]/g, "_").replace(/^(?=\d|$)/, "_");
    if (value !== "") valid[as] ??= value;
  }
  return valid;
}

function time(us: number): string {
  return isoTime(toTimestamp(us));
}
