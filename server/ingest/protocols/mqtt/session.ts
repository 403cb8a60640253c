/** A session with a broker, through as many connections as it takes. */
import type { IPublishPacket } from "mqtt-packet";
import type { Clock } from "../../../clock.ts";
import { Changes, delay, onAbort, orAbort } from "../../../lib/signals.ts";
import type { Logger } from "../../../observe/logger.ts";
import {
  BrokerError,
  Connection,
  type ConnectOptions,
  type Listener,
  type Subscription,
  type Wire,
} from "./connection.ts";
import { FIRST_PAUSE_MS, LONGEST_PAUSE_MS, STEADY_MS } from "./limits.ts";
import type { Mapped, Message } from "./message.ts";
import { PacketMemory } from "./packet-memory.ts";

/** Filters in one SUBSCRIBE: a packet stays small. */
const MAX_FILTERS_AT_ONCE = 100;

/** A message with the way to acknowledge it. */
export interface Delivery {
  readonly message: Message;
  /** Undefined for QoS 0. */
  readonly from: Connection | undefined;
  readonly packetId: number;
  /** What it becomes, where that is known before it is its turn. */
  readonly mapped?: Mapped | undefined;
}

export interface SessionOptions {
  /** Rejects with what is wrong, a sentence after "The broker". */
  readonly dial: (signal: AbortSignal) => Promise<Wire>;
  /** Asked at each connection: a password may have changed. */
  readonly connect: () => Promise<ConnectOptions>;
  readonly subscriptions: () => readonly Subscription[];
  readonly deliver: (deliveries: readonly Delivery[]) => void;
  /** Resolves when more can be taken in hand. */
  readonly room: (signal: AbortSignal) => Promise<void>;
  /** Whether there is a connection, and the broker refuses nothing. */
  readonly onState: (connected: boolean) => void;
  readonly onSubscribed?: (connection: Connection) => void;
  readonly clock: Clock;
  /** Added to arrivals, within a millisecond: replicas of a shared group give no two readings of a sensor the same time. */
  readonly offsetUs?: number;
  readonly logger: Logger;
}

export class Session {
  readonly #o: SessionOptions;
  readonly #memory = new PacketMemory();
  #connection: Connection | undefined;
  #pings = 0;
  /** Why there is no connection, a sentence; undefined while there is. */
  #fault: string | undefined = "The broker was not reached yet";
  /** By filter: what the broker refuses on this connection, and why. */
  readonly #refused = new Map<string, { readonly subscription: Subscription; readonly why: string }>();
  readonly #refusals = new Changes();
  #isPaused = false;

  constructor(options: SessionOptions) {
    this.#o = options;
  }

  /** Why not all comes that is wanted, a sentence; undefined while it does. */
  get fault(): string | undefined {
    if (this.#fault !== undefined) return this.#fault;
    for (const [filter, { why }] of this.#refused) return `The broker refuses the subscription to "${filter}": ${why}`;
    return undefined;
  }
  get connection(): Connection | undefined {
    return this.#connection;
  }

  /** Connects, and connects again, until the signal aborts. Never rejects for what a broker does. */
  async run(signal: AbortSignal): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    while (!signal.aborted) {
      const beganMs = this.#o.clock.monotonicMs();
      const why = await this.#connected(signal).catch((error: unknown) => {
        if (error instanceof BrokerError || signal.aborted) return error;
        throw error;
      });
      this.#connection = undefined;
      this.#fault = why instanceof Error ? why.message : String(why);
      this.#o.onState(false);
      if (signal.aborted) return;
      const lastedMs = this.#o.clock.monotonicMs() - beganMs;
      if (lastedMs > STEADY_MS + pauseMs) pauseMs = FIRST_PAUSE_MS;
      const waitMs = pauseMs * (0.5 + Math.random() / 2);
      this.#o.logger.warn({ why: this.#fault, retryInMs: Math.round(waitMs) }, "no connection to the MQTT broker");
      pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
      // The process ends: the loop's condition sees it.
      await delay(waitMs, signal).catch((error: unknown) => signal.aborted || Promise.reject(error));
    }
  }

  /** @returns why the connection ended */
  async #connected(signal: AbortSignal): Promise<unknown> {
    await this.#o.room(signal);
    const options = await this.#o.connect();
    const wire = await this.#o.dial(signal);
    const left = onAbort(signal, () => wire.destroy());
    const over = new AbortController();
    let connection: Connection | undefined;
    try {
      connection = await Connection.open(wire, options, this.#listener, this.#pings);
      this.#connection = connection;
      if (this.#isPaused) connection.pause();
      this.#refused.clear();
      await this.#subscribe(connection, this.#o.subscriptions());
      left();
      this.#fault = undefined;
      this.#o.onState(this.fault === undefined);
      this.#o.onSubscribed?.(connection);
      this.#o.logger.info(
        { sessionPresent: connection.sessionPresent, version: options.version },
        "connected to the MQTT broker",
      );
      return await orAbort(Promise.race([connection.closed, this.#insist(connection, over.signal)]), signal);
    } finally {
      over.abort(new BrokerError("The connection is over"));
      left();
      if (connection !== undefined) this.#pings = connection.pings;
      // One that has said goodbye sends its last bytes first.
      if (connection?.isOpen) connection.destroy("was left");
    }
  }

  get #listener(): Listener {
    return {
      accepted: (sessionPresent) => {
        if (!sessionPresent) this.#memory.clear();
      },
      messages: (packets, from) => this.#received(packets, from),
      pinged: (ping) => this.#memory.confirmed(ping),
    };
  }

  /** Asks again for what the broker has refused: rights change. */
  async #insist(connection: Connection, over: AbortSignal): Promise<never> {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
      while (this.#refused.size === 0) {
        await orAbort(this.#refusals.next, over);
        pauseMs = FIRST_PAUSE_MS;
      }
      await delay(pauseMs, over);
      await this.#subscribe(
        connection,
        [...this.#refused.values()].map(({ subscription }) => subscription),
      );
      this.#o.onState(this.fault === undefined);
    }
  }

  /** Notes what the broker refuses. */
  async #subscribe(connection: Connection, all: readonly Subscription[]): Promise<void> {
    for (let i = 0; i < all.length; i += MAX_FILTERS_AT_ONCE) {
      const some = all.slice(i, i + MAX_FILTERS_AT_ONCE);
      const answers = await connection.subscribe(some);
      const refused = some.flatMap((subscription, k) => {
        const why = answers[k];
        if (why !== undefined) return [{ subscription, why }];
        this.#refused.delete(subscription.filter);
        return [];
      });
      for (const each of refused) this.#refused.set(each.subscription.filter, each);
      const [first] = refused;
      if (first === undefined) continue;
      const more = refused.length > 1 && { more: refused.length - 1 };
      const about = { filter: first.subscription.filter, why: first.why, ...more };
      this.#o.logger.error(about, "the MQTT broker refuses a subscription: it is asked again");
    }
    this.#refusals.tell();
  }

  /** Other subscriptions from now on. Without a connection there is nothing to do: the next one begins with all. */
  async follow(added: readonly Subscription[], removed: readonly Subscription[]): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) return;
    const filters = removed.map(({ filter }) => filter);
    for (const filter of filters) this.#refused.delete(filter);
    if (added.length > 0) await this.#subscribe(connection, added);
    if (filters.length > 0) await connection.unsubscribe(filters);
    this.#o.onState(this.fault === undefined);
  }

  #received(packets: readonly IPublishPacket[], from: Connection): void {
    const nowUs = this.#o.clock.nowUs() + (this.#o.offsetUs ?? 0);
    this.#o.deliver(
      packets.map((packet) => ({
        message: {
          topic: packet.topic,
          payload: packet.payload as Buffer,
          retained: packet.retain,
          arrivedUs: this.#memory.arrival(packet, nowUs),
        },
        from: packet.qos === 0 ? undefined : from,
        packetId: packet.messageId ?? 0,
      })),
    );
  }

  /** The messages with these ids are stored, or will never be. */
  acknowledge(from: Connection, ids: readonly number[]): void {
    // On another connection the broker sends them again, and they are acknowledged there.
    if (!from.isOpen) return;
    from.acknowledge(ids);
    this.#memory.acknowledged(ids, from.pings);
  }

  /** Holds for connections to come too. */
  pause(): void {
    this.#isPaused = true;
    this.#connection?.pause();
  }
  resume(): void {
    this.#isPaused = false;
    this.#connection?.resume();
  }
}
