/** Devices that describe themselves, by a session of its own: it has to be known what they say before their first state comes. */
import type { ConnectOptions, Subscription, Wire } from "../ingest/protocols/mqtt/connection.ts";
import { Discovery, type DiscoveryOptions } from "../ingest/protocols/mqtt/discovery/discovery.ts";
import type { SkipReason } from "../ingest/protocols/mqtt/message.ts";
import { type Delivery, Session } from "../ingest/protocols/mqtt/session.ts";
import { quoted } from "../lib/quoted.ts";
import { SampledLines } from "../observe/sampled.ts";
import type { MqttEquipment } from "./mqtt-equipment.ts";

/** The broker has sent what it kept when nothing came for so long; and in any case after the longer one. */
const QUIET_MS = 1_000;
const LONGEST_MS = 30_000;

export interface WiredDiscovery {
  readonly discovery: Discovery;
  /** Why nothing is heard of devices, a sentence. */
  readonly fault: () => string | undefined;
  /** Resolves when what the broker keeps is known. */
  readonly ready: Promise<void>;
  readonly run: (signal: AbortSignal) => Promise<void>;
  /** Says goodbye. */
  readonly end: () => void;
}

export interface DiscoveryParts {
  readonly prefix: string;
  readonly dial: (signal: AbortSignal) => Promise<Wire>;
  readonly connect: () => Promise<ConnectOptions>;
  readonly onTopics: DiscoveryOptions["onTopics"];
  readonly onState: () => void;
}

export function wireDiscovery(
  { clock, logger, metrics, onEntities }: MqttEquipment,
  parts: DiscoveryParts,
): WiredDiscovery {
  const sampled = new SampledLines(logger);
  const skip = (reason: SkipReason, topic: string, detail: string) => {
    metrics.mqttSkipped.inc({ reason });
    sampled.say(`mqtt ${reason}`, { topic: quoted(topic), reason, detail }, "entities of discovery messages not taken");
  };
  const discovery = new Discovery({
    prefix: parts.prefix,
    onFault: (topic, detail) => skip("bad_config", topic, detail),
    onOther: (topic, detail) => skip("other_component", topic, detail),
    onTopics: parts.onTopics,
    onEntities,
  });
  const quiet = new Quiet();
  const session: Session = new Session({
    dial: parts.dial,
    connect: async () => ({ ...(await parts.connect()), clean: true }),
    subscriptions: () => discovery.filters.map((filter): Subscription => ({ filter, qos: 1, retained: true })),
    deliver: (deliveries) => {
      for (const { message } of deliveries) discovery.configure(message.topic, message.payload);
      acknowledge(session, deliveries);
      quiet.heard();
    },
    room: async () => {},
    onState: parts.onState,
    onSubscribed: () => quiet.begin(),
    clock,
    logger: logger.child({ part: "mqtt discovery" }),
  });
  return {
    discovery,
    fault: () => session.fault,
    ready: quiet.ready,
    run: (signal) => session.run(signal),
    end: () => session.connection?.end(),
  };
}

function acknowledge(session: Session, deliveries: readonly Delivery[]): void {
  for (const { from, packetId } of deliveries) if (from !== undefined) session.acknowledge(from, [packetId]);
}

/** Resolves when nothing was heard for a while. */
class Quiet {
  readonly #done = Promise.withResolvers<void>();
  #timer: NodeJS.Timeout | undefined;
  readonly ready = this.#done.promise;

  begin(): void {
    setTimeout(this.#done.resolve, LONGEST_MS).unref();
    this.heard();
  }

  heard(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#done.resolve, QUIET_MS);
    this.#timer.unref();
  }
}
