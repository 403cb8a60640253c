/** A session with a broker, through as many connections as it takes. */
import type { IPublishPacket } from "mqtt-packet";
import type { Clock } from "../../../clock.ts";
import { delay, onAbort, orAbort } from "../../../lib/signals.ts";
import type { Logger } from "../../../observe/logger.ts";
import { BrokerError, Connection, type ConnectOptions, type Subscription, type Wire } from "./connection.ts";
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
  /** Why there is no good connection, a sentence; undefined while there is. */
  #fault: string | undefined = "The broker was not reached yet";

  constructor(options: SessionOptions) {
    this.#o = options;
  }

  get fault(): string | undefined {
    return this.#fault;
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
      this.#o.onState(false);
      if (signal.aborted) return;
      this.#fault = why instanceof Error ? why.message : String(why);
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
    const connection = await Connection.open(
      wire,
      options,
      { messages: (packets, from) => this.#received(packets, from), pinged: (ping) => this.#memory.confirmed(ping) },
      this.#pings,
    );
    try {
      if (!connection.sessionPresent) this.#memory.clear();
      this.#connection = connection;
      await this.#subscribe(connection);
      left();
      this.#o.onState(true);
      this.#o.onSubscribed?.(connection);
      this.#o.logger.info(
        { sessionPresent: connection.sessionPresent, version: options.version },
        "connected to the MQTT broker",
      );
      return await orAbort(connection.closed, signal);
    } finally {
      this.#pings = connection.pings;
      left();
      // One that has said goodbye sends its last bytes first.
      if (connection.isOpen) connection.destroy("was left");
    }
  }

  async #subscribe(connection: Connection): Promise<void> {
    const all = this.#o.subscriptions();
    this.#fault = await this.subscribe(connection, all);
  }

  /** @returns what the broker says against one of them, a sentence */
  async subscribe(connection: Connection, all: readonly Subscription[]): Promise<string | undefined> {
    let fault: string | undefined;
    for (let i = 0; i < all.length; i += MAX_FILTERS_AT_ONCE) {
      const some = all.slice(i, i + MAX_FILTERS_AT_ONCE);
      const refusals = await connection.subscribe(some);
      for (const [k, why] of refusals.entries()) {
        if (why === undefined) continue;
        fault ??= `The broker refuses the subscription to "${some[k]!.filter}": ${why}`;
        this.#o.logger.error({ filter: some[k]!.filter, why }, "the MQTT broker refuses a subscription");
      }
    }
    return fault;
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

  pause(): void {
    this.#connection?.pause();
  }
  resume(): void {
    this.#connection?.resume();
  }
}
