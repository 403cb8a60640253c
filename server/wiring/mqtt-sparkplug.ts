/** Telltale as a Sparkplug B host application: a session of its own, whose end the broker tells the edge nodes. */
import { create, toBinary } from "@bufbuild/protobuf";
import { MetricSchema, PayloadSchema } from "../../gen/es/sparkplug/v1/payload_pb.ts";
import { TelltaleError } from "../errors.ts";
import type { ConnectOptions, Wire } from "../ingest/protocols/mqtt/connection.ts";
import { Intake } from "../ingest/protocols/mqtt/intake.ts";
import { mapMessage } from "../ingest/protocols/mqtt/map-message.ts";
import { type Delivery, Session } from "../ingest/protocols/mqtt/session.ts";
import { NAMESPACE, SparkplugHost } from "../ingest/protocols/mqtt/sparkplug/host.ts";
import { ignoreRejection } from "../lib/signals.ts";
import { SampledLines } from "../observe/sampled.ts";
import type { MqttEquipment } from "./mqtt-equipment.ts";

const LOOK_MS = 500;
/** Readings that wait for the log for so long: it takes no data, and edge nodes had better keep theirs. */
const STALLED_MS = 5_000;
const BOOLEAN = 11;

export interface WiredSparkplug {
  readonly session: Session;
  readonly intake: Intake;
  readonly run: (signal: AbortSignal) => Promise<unknown>;
  /** Says that the host is offline, and goodbye. */
  readonly end: () => void;
}

export interface SparkplugParts {
  readonly hostId: string;
  readonly maxHeld: number;
  readonly dial: (signal: AbortSignal) => Promise<Wire>;
  readonly connect: () => Promise<ConnectOptions>;
  readonly onState: () => void;
}

export function wireSparkplug(
  { clock, ingestor, logger, metrics }: MqttEquipment,
  parts: SparkplugParts,
): WiredSparkplug {
  const stateTopic = `${NAMESPACE}/STATE/${parts.hostId}`;
  const state = new HostState(() => takesData(ingestor, intake));
  const host = new SparkplugHost({
    onRebirthWanted: (group, edge) => {
      const published = session.connection?.publish(`${NAMESPACE}/${group}/NCMD/${edge}`, rebirth(clock.nowUs()), NOW);
      published?.catch(ignoreRejection);
    },
  });
  const intake: Intake = new Intake({
    ...{ ingestor, mappers: [], maxHeld: parts.maxHeld, metrics, sampled: new SampledLines(logger) },
    acknowledge: (from, ids) => session.acknowledge(from, ids),
    onRoom: (hasRoom) => (hasRoom ? session.resume() : session.pause()),
  });
  const deliver = (deliveries: readonly Delivery[]) => {
    for (const { message } of deliveries) if (message.topic === stateTopic) state.heard(message.payload);
    // At once, not when they are stored: what a message means depends on those before it, and on the connection.
    intake.take(deliveries.map((delivery) => ({ ...delivery, mapped: mapMessage([host], delivery.message) })));
  };
  const session: Session = new Session({
    dial: parts.dial,
    connect: async () => {
      const options = await parts.connect();
      return { ...options, clean: true, will: { topic: stateTopic, payload: state.begin(clock.nowUs()) } };
    },
    subscriptions: () => [{ filter: `${NAMESPACE}/#`, qos: 1, retained: true }],
    deliver,
    room: (signal) => intake.room(signal),
    onState: (connected) => {
      if (!connected) host.forget();
      parts.onState();
    },
    clock,
    logger: logger.child({ part: "sparkplug" }),
  });
  const publish = async () => {
    const payload = session.fault === undefined ? state.next() : undefined;
    if (payload !== undefined) await session.connection?.publish(stateTopic, payload, KEPT).catch(ignoreRejection);
  };
  return {
    session,
    intake,
    run: (signal) => {
      const timer = setInterval(() => {
        host.tick(clock.nowUs());
        void publish();
      }, LOOK_MS);
      signal.addEventListener("abort", () => clearInterval(timer), { once: true });
      return Promise.all([session.run(signal), intake.run(signal)]);
    },
    end: () => {
      // Nothing is read any more, the answer to it neither; the goodbye comes after it on the same way.
      void session.connection?.publish(stateTopic, state.end(), KEPT).catch(ignoreRejection);
      session.connection?.end();
    },
  };
}

const NOW = { qos: 0, retain: false } as const;
const KEPT = { qos: 1, retain: true } as const;

function takesData(ingestor: MqttEquipment["ingestor"], intake: Intake): boolean {
  try {
    ingestor.checkRoom();
  } catch (error) {
    if (!(error instanceof TelltaleError)) throw error;
    return false;
  }
  return intake.stalledMs < STALLED_MS;
}

/** What the broker keeps of the host under STATE. */
class HostState {
  readonly #takesData: () => boolean;
  #timestamp = 0;
  #said: boolean | undefined;

  constructor(takesData: () => boolean) {
    this.#takesData = takesData;
  }

  /** A connection begins. @returns its will: the time in it tells it from that of a later connection */
  begin(nowUs: number): string {
    this.#timestamp = Math.max(Math.floor(nowUs / 1_000), this.#timestamp + 1);
    this.#said = undefined;
    return this.#text(false);
  }

  /** What is to be published, where it changes. */
  next(): string | undefined {
    const online = this.#takesData();
    if (online === this.#said) return undefined;
    this.#said = online;
    return this.#text(online);
  }

  /** The will of an earlier connection may come after this one's birth: then it is said again. */
  heard(payload: Uint8Array): void {
    if (this.#said === true && new TextDecoder().decode(payload) !== this.#text(true)) this.#said = undefined;
  }

  end(): string {
    this.#said = false;
    return this.#text(false);
  }

  #text(online: boolean): string {
    return JSON.stringify({ online, timestamp: this.#timestamp });
  }
}

function rebirth(nowUs: number): Buffer {
  const timestamp = BigInt(Math.floor(nowUs / 1_000));
  const metric = create(MetricSchema, {
    ...{ name: "Node Control/Rebirth", timestamp, datatype: BOOLEAN },
    value: { case: "booleanValue", value: true },
  });
  return Buffer.from(toBinary(PayloadSchema, create(PayloadSchema, { timestamp, metrics: [metric] })));
}
