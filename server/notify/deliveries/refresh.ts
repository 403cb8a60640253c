/**
 * Sends what is open again to programs that forget it otherwise. It follows from the groups as they are stored: whoever takes over goes on
 * at once. It is no message of its own, because the next minute repeats it.
 */
import type { Sql } from "postgres";
import type { Clock } from "../../clock.ts";
import type { Logger } from "../../observe/logger.ts";
import { REFRESH_MS } from "../channels/alertmanager.ts";
import { channelKeys } from "../config/channel-keys.ts";
import type { NotifyConfig } from "../config/config.ts";
import type { KnownAlert } from "../known-alert.ts";
import type { Message } from "../message.ts";
import type { FindChannel, Target } from "./target.ts";

/** Alerts in one sending. */
const PORTION = 1_000;

export interface RefresherOptions {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly externalUrl: string;
  readonly channelOf: FindChannel;
  /** Groups, a message of which is on its way to it: it is told of them just now. */
  readonly sendingGroups: (target: Target) => ReadonlySet<string>;
  /** A target is held no longer. */
  readonly onReleased: () => void;
}

interface OpenAlert {
  readonly group: string;
  readonly alert: KnownAlert;
  readonly toldSeverity: string;
}

export class Refresher {
  readonly #o: RefresherOptions;
  readonly #cutting = new AbortController();
  readonly #held = new Map<string, Promise<void>>();
  #refreshedMs = Number.NEGATIVE_INFINITY;

  constructor(options: RefresherOptions) {
    this.#o = options;
  }

  /** No message goes to it meanwhile: an end that overtakes a refresh would be undone by it. */
  isHeld(target: Target): boolean {
    return this.#held.has(nameOf(target));
  }

  /** Begins anew where it is time. `config`: that in force where this process notifies. */
  look(config: NotifyConfig | undefined): void {
    const nowMs = this.#o.clock.monotonicMs();
    if (config === undefined) this.#refreshedMs = Number.NEGATIVE_INFINITY;
    if (config === undefined || nowMs - this.#refreshedMs < REFRESH_MS) return;
    this.#refreshedMs = nowMs;
    for (const target of targetsOf(config)) if (!this.isHeld(target)) this.#begin(target);
  }

  async close(): Promise<void> {
    this.#cutting.abort(new Error("the process ends"));
    await Promise.all(this.#held.values());
  }

  #begin(target: Target): void {
    const busy = this.#o.sendingGroups(target);
    const done = this.#refresh(target, busy)
      .catch((error: unknown) => {
        if (!this.#cutting.signal.aborted)
          this.#o.logger.warn({ err: error, ...target }, "open alerts are sent again later");
      })
      .finally(() => {
        this.#held.delete(nameOf(target));
        this.#o.onReleased();
      });
    this.#held.set(nameOf(target), done);
  }

  async #refresh(target: Target, busy: ReadonlySet<string>): Promise<void> {
    const { sql, logger, channelOf } = this.#o;
    const open = (await openAlertsOf(sql, target)).filter(({ group }) => !busy.has(group));
    for (let at = 0; at < open.length; at += PORTION) {
      const message = this.#message(target, open.slice(at, at + PORTION));
      const sent = await channelOf(target.receiver, target.channelKey)?.send(message, this.#cutting.signal);
      if (sent === undefined || sent.kind === "ok") continue;
      const { receiver } = target;
      return logger.warn({ receiver, reason: sent.reason }, "open alerts were not sent again: they are in a minute");
    }
  }

  #message({ receiver }: Target, open: readonly OpenAlert[]): Message {
    const alerts = open.map(({ alert, toldSeverity }) => {
      const { id, annotations, status, startsUs, generatorUrl } = alert;
      // Worse than it was told, it is another alert there, and news. A severity of others' making stays as it is.
      const labels = toldSeverity === alert.severity ? alert.labels : { ...alert.labels, severity: toldSeverity };
      return { id, annotations, status, startsUs, labels, ...(generatorUrl !== undefined && { generatorUrl }) };
    });
    return {
      ...{ key: "refresh", groupKey: "refresh", receiver, status: "firing", alerts, truncatedAlerts: 0 },
      ...{ groupLabels: {}, commonLabels: {}, commonAnnotations: {}, externalUrl: this.#o.externalUrl },
    };
  }
}

function nameOf({ receiver, channelKey }: Target): string {
  return `${channelKey} ${receiver}`;
}

function targetsOf({ receivers }: NotifyConfig): Target[] {
  return receivers.flatMap(({ name, channels }) => {
    const keys = channelKeys(channels);
    return channels.flatMap(({ kind }, i) =>
      kind === "alertmanager" ? [{ receiver: name, channelKey: keys[i]! }] : [],
    );
  });
}

/** What the channel was told to be open, and is, with the severity that it was told. */
async function openAlertsOf(sql: Sql, { receiver, channelKey }: Target): Promise<OpenAlert[]> {
  const rows = await sql`select g.key, a.alert, t.told->'alerts'->>(a.alert_id::text) as severity
    from notify_alert a cross join jsonb_array_elements_text(a.groups) k(key)
    join notify_group g using (key) cross join jsonb_array_elements(g.told) t(told)
    where a.alert->>'status' = 'firing' and g.receiver = ${receiver} and t.told->>'channel' = ${channelKey}
      and t.told->'alerts'->>(a.alert_id::text) <> ''
    order by a.alert_id`;
  return rows.map((r) => ({ group: r.key, alert: r.alert, toldSeverity: r.severity }));
}
