/**
 * Tells others that notifications work: it pings their addresses for as long as this process decides and sends. Whoever is pinged raises the
 * alarm when that ends, whatever has become of this installation.
 */
import type { Sql } from "postgres";
import type { Clock } from "../../clock.ts";
import type { Logger } from "../../observe/logger.ts";
import type { Sent } from "../channel.ts";
import { attempt } from "../channels/attempt.ts";
import { secretsOfUrl } from "../channels/http-channel.ts";
import type { ChannelOptions } from "../channels/options.ts";
import { outcome } from "../channels/outcome.ts";
import { post } from "../channels/post.ts";
import type { PingConfig } from "../config/config.ts";
import { MAX_IDLE_MS } from "./limits.ts";
import { forgetPingsBut, recordPing } from "./store.ts";

/** One that was not taken is sent again after this time, or at its next turn. */
const AGAIN_MS = 10_000;

export interface PingerOptions {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly channels: Pick<ChannelOptions, "addresses" | "environment">;
  /** When this process last looked for messages to send, on the monotonic clock. */
  readonly sendsSinceMs: () => number;
  readonly onPing: (sent: Sent) => void;
}

export class Pinger {
  readonly #o: PingerOptions;
  readonly #cutting = new AbortController();
  readonly #underWay = new Map<string, Promise<void>>();
  /** By name: when it is due, on the monotonic clock. */
  readonly #dueMs = new Map<string, number>();
  #forgetting: Promise<void> = Promise.resolve();
  /** Of the configuration by which it looked last. */
  #pings: readonly PingConfig[] | undefined;

  constructor(options: PingerOptions) {
    this.#o = options;
  }

  /** A step was decided: pings what is due. */
  look(pings: readonly PingConfig[]): void {
    if (pings !== this.#pings) this.#configure(pings);
    const nowMs = this.#o.clock.monotonicMs();
    if (nowMs - this.#o.sendsSinceMs() > MAX_IDLE_MS) return;
    for (const ping of pings) {
      const { name, intervalMs } = ping;
      if (this.#underWay.has(name) || (this.#dueMs.get(name) ?? 0) > nowMs) continue;
      this.#dueMs.set(name, nowMs + intervalMs);
      this.#underWay.set(
        name,
        this.#ping(ping, nowMs).finally(() => this.#underWay.delete(name)),
      );
    }
  }

  #configure(pings: readonly PingConfig[]): void {
    this.#pings = pings;
    const names = pings.map(({ name }) => name);
    for (const name of this.#dueMs.keys()) if (!names.includes(name)) this.#dueMs.delete(name);
    const { sql, logger } = this.#o;
    const before = this.#forgetting;
    this.#forgetting = before
      .then(() => forgetPingsBut(sql, names))
      .catch((error: unknown) => logger.warn({ err: error }, "pings that are sent no more were not forgotten"));
  }

  /** Once none is on its way. */
  async idle(): Promise<void> {
    await Promise.all([...this.#underWay.values(), this.#forgetting]);
  }

  async close(): Promise<void> {
    this.#cutting.abort(new Error("the process ends"));
    await this.idle();
  }

  async #ping(ping: PingConfig, nowMs: number): Promise<void> {
    const { sql, logger, onPing } = this.#o;
    const { name, intervalMs } = ping;
    try {
      const sent = await this.#send(ping);
      if (this.#cutting.signal.aborted) return;
      onPing(sent);
      if (sent.kind !== "ok") {
        this.#dueMs.set(name, nowMs + Math.min(intervalMs, AGAIN_MS));
        logger.warn({ ping: name, reason: sent.reason }, "a ping was not taken");
      }
      // Meanwhile it may have been taken out of the configuration.
      if (this.#pings?.some((each) => each.name === name) !== true) return;
      await recordPing(sql, name, sent.kind === "ok" ? undefined : sent.reason);
    } catch (error) {
      logger.warn({ err: error, ping: name }, "what became of a ping was not recorded");
    }
  }

  #send({ url, method, timeoutMs }: PingConfig): Promise<Sent> {
    const { addresses, environment } = this.#o.channels;
    return attempt({ signal: this.#cutting.signal, timeoutMs, environment }, async ({ signal, secrets }) => {
      const address = await secrets.read(url, "the address of the ping");
      secrets.hide(...secretsOfUrl(address));
      const to = addresses.checkUrl(address);
      const headers = { "user-agent": "Telltale" };
      const answer = await post({ url: to, method, headers, body: Buffer.alloc(0), addresses, signal });
      return outcome(answer, undefined, { secrets: secrets.known, nowMs: this.#o.clock.nowUs() / 1_000 });
    });
  }
}
