/** The role `notify`: decides who is told what, and sends it, or stands by for the process that does. */
import type { Sql } from "postgres";
import type { Clock } from "../clock.ts";
import type { Logger } from "../observe/logger.ts";
import type { Changes } from "../postgres/leader.ts";
import type { Sent } from "./channel.ts";
import type { ChannelOptions } from "./channels/options.ts";
import { type Channels, openChannels } from "./channels.ts";
import type { NotifyConfig } from "./config/config.ts";
import { Refresher } from "./deliveries/refresh.ts";
import { Sender, type SenderOptions } from "./deliveries/sender.ts";
import type { Target } from "./deliveries/target.ts";
import { Pinger } from "./heartbeats/pinger.ts";
import { type LinksOptions, withLinks } from "./links/links.ts";
import { Planner, type Step } from "./planner.ts";

export interface NotifierOptions {
  /** Of one connection: see `PlannerOptions`. */
  readonly planSql: Sql;
  readonly sql: Sql;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly externalUrl: string;
  readonly changes: Changes;
  readonly channels: ChannelOptions;
  /** Absent: messages have no links by which people act. */
  readonly links?: LinksOptions | undefined;
  readonly onStep: (step: Step | undefined) => void;
  readonly onAttempt: SenderOptions["onAttempt"];
  readonly onPing?: (sent: Sent) => void;
}

export class Notifier {
  readonly #options: NotifierOptions;
  readonly #planner: Planner;
  readonly #sender: Sender;
  readonly #refresher: Refresher;
  readonly #pinger: Pinger;
  #notifies = false;
  #config: NotifyConfig | undefined;
  #channels: Channels | undefined;

  constructor(options: NotifierOptions) {
    const { sql, planSql, clock, logger, externalUrl, changes, links, onAttempt } = options;
    this.#options = options;
    const channelOf = (receiver: string, key: string) => this.#channels?.find(receiver, key);
    this.#refresher = new Refresher({
      ...{ sql, clock, logger, externalUrl, channelOf },
      sendingGroups: (target) => this.#sender.sendingGroups(target),
      onReleased: () => this.#sender.look(this.#notifies),
    });
    const isHeld = (target: Target) => this.#refresher.isHeld(target);
    const receiverOf = (wanted: string) => this.#config?.receivers.find(({ name }) => name === wanted);
    this.#sender = new Sender({
      ...{ sql, clock, logger, channelOf, receiverOf, isHeld, onAttempt },
      prepare: async (delivery) => (links === undefined ? delivery.message : withLinks(delivery, links)),
    });
    this.#pinger = new Pinger({
      ...{ sql, clock, logger, channels: options.channels, onPing: options.onPing ?? (() => {}) },
      sendsSinceMs: () => this.#sender.lookedMs,
    });
    const onStep = (step: Step | undefined) => this.#onStep(step);
    this.#planner = new Planner({ sql: planSql, clock, logger, externalUrl, changes, onStep });
  }

  /** Lets another process go on at once; what is on its way is waited for. */
  async close(): Promise<void> {
    await this.#planner.close();
    await Promise.all([this.#sender.close(), this.#refresher.close(), this.#pinger.close()]);
    await this.#channels?.close();
  }

  #onStep(step: Step | undefined): void {
    if (step !== undefined && step.config !== this.#config) {
      const before = this.#channels;
      this.#config = step.config;
      this.#channels = openChannels(step.config, this.#options.channels);
      // What is being sent by them ends by itself.
      before?.close().catch((error: unknown) => this.#options.logger.warn({ err: error }, "channels were not closed"));
    }
    this.#notifies = step !== undefined;
    this.#options.onStep(step);
    this.#sender.look(this.#notifies, step?.queued);
    this.#refresher.look(step?.config);
    if (step !== undefined) this.#pinger.look(step.config.pings);
  }
}
