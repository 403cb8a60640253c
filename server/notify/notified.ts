/** Open alerts, ours and received ones, with what keeps each back and who is to hear of it, by what holds now. */
import type { Sql } from "postgres";
import { valueTest } from "../../formats/matchers.ts";
import type { NotifyConfig, Route } from "./config/config.ts";
import { openBroken, openOwnAlerts } from "./groups/store.ts";
import { type InhibitingAlert, Inhibitor } from "./inhibit.ts";
import type { KnownAlert } from "./known-alert.ts";
import type { Labels } from "./matching.ts";
import { FIRST_RECEIVED_ID, type StoredEpisode, toKnownAlert } from "./received/received-alert.ts";
import { openReceived } from "./received/store.ts";
import { routesOf } from "./route.ts";
import type { SilencesInForce } from "./silences/in-force.ts";
import type { Silence } from "./silences/silence.ts";

/** Alerts that are read at once. */
const PORTION = 1_000;

export interface NotifiedAlert {
  readonly id: number;
  readonly alert: KnownAlert;
  /** Undefined: it is one of ours. */
  readonly received: StoredEpisode | undefined;
  readonly silences: readonly Silence[];
  readonly inhibitedBy: InhibitingAlert | undefined;
  readonly routes: readonly Route[];
}

export interface NotifiedFilter {
  readonly sensorPrefix: string;
  readonly matches: (labels: Labels) => boolean;
  /** An expression for the whole name of a receiver; empty: any. */
  readonly receiver: string;
  readonly excludeActive: boolean;
  readonly excludeSilenced: boolean;
  readonly excludeInhibited: boolean;
}

export class NotifiedAlerts {
  readonly #sql: Sql;
  readonly #silences: SilencesInForce;

  constructor(sql: Sql, silences: SilencesInForce) {
    this.#sql = sql;
    this.#silences = silences;
  }

  /**
   * Received ones first, each kind from its newest on, below an id.
   *
   * @throws MatcherProblem where the expression for receivers is none
   */
  async list(
    config: NotifyConfig,
    filter: NotifiedFilter,
    { nowUs, belowId, limit }: { nowUs: number; belowId: number; limit: number },
  ): Promise<NotifiedAlert[]> {
    const fits = valueTest({ name: "receiver", operator: "=~", value: filter.receiver });
    const silences = await this.#silences.read(this.#sql, nowUs);
    const inhibitor = await this.#inhibitor(config, nowUs);
    const found: NotifiedAlert[] = [];
    if (limit === 0) return found;
    for await (const { alert, received } of this.#open(nowUs, belowId)) {
      const { labels } = alert;
      if (!(labels.sensor_id ?? "").startsWith(filter.sensorPrefix) || !filter.matches(labels)) continue;
      const routes = routesOf(config.route, labels);
      if (filter.receiver !== "" && !routes.some(({ receiver }) => fits(receiver))) continue;
      const each = {
        ...{ id: Number(alert.id), alert, received, routes },
        silences: silences.all(labels, nowUs),
        inhibitedBy: inhibitor.inhibitedBy(labels)?.source,
      };
      if (isExcluded(each, filter)) continue;
      found.push(each);
      if (found.length === limit) break;
    }
    return found;
  }

  async *#open(nowUs: number, belowId: number): AsyncGenerator<Pick<NotifiedAlert, "alert" | "received">> {
    let below = belowId;
    while (below > FIRST_RECEIVED_ID) {
      const rows = await openReceived(this.#sql, { nowUs, belowId: below, limit: PORTION });
      for (const received of rows) yield { alert: toKnownAlert(received), received };
      below = rows.length < PORTION ? FIRST_RECEIVED_ID : rows.at(-1)!.id;
    }
    for (;;) {
      const rows = await openOwnAlerts(this.#sql, { belowId: below, limit: PORTION });
      for (const alert of rows) yield { alert, received: undefined };
      if (rows.length < PORTION) return;
      below = Number(rows.at(-1)!.id);
    }
  }

  async #inhibitor({ inhibitRules }: NotifyConfig, nowUs: number): Promise<Inhibitor> {
    const inhibitor = new Inhibitor(inhibitRules);
    if (inhibitRules.length === 0) return inhibitor;
    for await (const { alert } of this.#open(nowUs, Number.MAX_SAFE_INTEGER)) inhibitor.open(alert);
    for (const alert of await openBroken(this.#sql)) inhibitor.open(alert);
    return inhibitor;
  }
}

function isExcluded(
  { silences, inhibitedBy }: Pick<NotifiedAlert, "silences" | "inhibitedBy">,
  { excludeActive, excludeSilenced, excludeInhibited }: NotifiedFilter,
): boolean {
  const isSilenced = silences.length > 0;
  const isInhibited = inhibitedBy !== undefined;
  if (excludeActive && !isSilenced && !isInhibited) return true;
  return (excludeSilenced && isSilenced) || (excludeInhibited && isInhibited);
}
