/** A broker as a source of readings: the sessions with it, what its messages become, and the end of it. */
import { hostname } from "node:os";
import { StartupError } from "../errors.ts";
import type { ConnectOptions, Subscription } from "../ingest/protocols/mqtt/connection.ts";
import { Intake } from "../ingest/protocols/mqtt/intake.ts";
import { readMapping } from "../ingest/protocols/mqtt/mapping-file.ts";
import { type Rule, RuleMapper } from "../ingest/protocols/mqtt/rule.ts";
import { Session } from "../ingest/protocols/mqtt/session.ts";
import type { MqttSettings } from "../ingest/protocols/mqtt/settings.ts";
import { TopicMapper } from "../ingest/protocols/mqtt/topic-mapper.ts";
import { covers, widest } from "../ingest/protocols/mqtt/topics.ts";
import { urlHost } from "../lib/authority.ts";
import { ignoreRejection, onAbort, orAbort } from "../lib/signals.ts";
import { SampledLines } from "../observe/sampled.ts";
import { checkFiles, dial, readNamed, secretOf } from "./mqtt-dial.ts";
import { type WiredDiscovery, wireDiscovery } from "./mqtt-discovery.ts";
import type { MqttEquipment } from "./mqtt-equipment.ts";
import { type WiredSparkplug, wireSparkplug } from "./mqtt-sparkplug.ts";

export interface MqttSource {
  /** For people, without credentials. */
  readonly address: string;
  /** Why not all comes that is wanted, a sentence; undefined while it does. */
  readonly fault: () => string | undefined;
  /** Takes messages until the signal aborts, then stores and acknowledges what is in hand. What the broker does rejects nothing. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

/** @throws StartupError where a file of the settings cannot be read, or the mapping file is wrong */
export async function openMqtt(mqtt: MqttSettings, equipment: MqttEquipment): Promise<MqttSource> {
  const { clock, metrics, logger, ingestor } = equipment;
  await checkFiles(mqtt);
  const rules = await readRules(mqtt.mappingFile);
  const filters = [...rules.map(({ topic }) => topic.filter), ...mqtt.topics];
  const clientId = mqtt.clientId ?? (mqtt.sharedGroup === undefined ? "telltale" : `telltale-${hostname()}`);
  const address = `${mqtt.tls ? "mqtts" : "mqtt"}://${urlHost(mqtt.host)}:${mqtt.port}`;
  /** Of any of the sessions. */
  const fault = () => discovered?.fault() ?? session.fault ?? sparkplug?.session.fault;
  const onState = () => metrics.mqttConnected.set({ broker: address }, fault() === undefined ? 1 : 0);
  const link = {
    dial: (signal: AbortSignal) => dial(mqtt, address, signal),
    connect: (suffix = "") => connectOptions(mqtt, `${clientId}${suffix}`),
  };
  const discovered =
    mqtt.discoveryPrefix === undefined
      ? undefined
      : wireDiscovery(equipment, {
          prefix: mqtt.discoveryPrefix,
          dial: link.dial,
          connect: () => link.connect("-discovery"),
          onState,
          onTopics: (added, removed) => {
            const own = (topics: readonly string[]) =>
              topics.filter((t) => !filters.some((filter) => covers(filter, t)));
            // A connection that ends meanwhile: the next one begins with all.
            session
              .follow(subscriptionsOf(mqtt, own(added)), subscriptionsOf(mqtt, own(removed)))
              .catch(ignoreRejection);
          },
        });
  const intake: Intake = new Intake({
    ingestor,
    mappers: [
      new RuleMapper(rules),
      ...(discovered === undefined ? [] : [discovered.discovery]),
      new TopicMapper(mqtt.topics),
    ],
    // Twice: over MQTT 5 the broker holds back first, which leaves the connection readable.
    maxHeld: 2 * mqtt.maxInFlight,
    acknowledge: (from, ids) => session.acknowledge(from, ids),
    onRoom: (hasRoom) => (hasRoom ? session.resume() : session.pause()),
    metrics,
    sampled: new SampledLines(logger),
  });
  const session: Session = new Session({
    dial: link.dial,
    connect: () => link.connect(),
    subscriptions: () => subscriptionsOf(mqtt, widest([...filters, ...(discovered?.discovery.stateTopics ?? [])])),
    deliver: (deliveries) => intake.take(deliveries),
    room: (signal) => intake.room(signal),
    onState,
    // Within the millisecond before: no reading is ahead of the clock.
    offsetUs: Math.floor(Math.random() * 1_000) - 1_000,
    clock,
    logger,
  });
  const sparkplug =
    mqtt.sparkplugHostId === undefined
      ? undefined
      : wireSparkplug(equipment, {
          hostId: mqtt.sparkplugHostId,
          maxHeld: 2 * mqtt.maxInFlight,
          dial: link.dial,
          connect: () => link.connect("-sparkplug"),
          onState,
        });
  onState();
  return { address, fault, run: (signal) => run(signal, equipment, { session, intake, discovered, sparkplug }) };
}

async function connectOptions(mqtt: MqttSettings, clientId: string): Promise<ConnectOptions> {
  const { version, sessionExpirySeconds, keepaliveSeconds, maxInFlight: receiveMaximum, username } = mqtt;
  const password = mqtt.passwordFile === undefined ? mqtt.password : await secretOf(mqtt.passwordFile);
  return {
    clientId,
    version,
    clean: sessionExpirySeconds === 0,
    sessionExpirySeconds,
    keepaliveSeconds,
    receiveMaximum,
    username,
    password,
  };
}

interface Parts {
  readonly session: Session;
  readonly intake: Intake;
  readonly discovered: WiredDiscovery | undefined;
  readonly sparkplug: WiredSparkplug | undefined;
}

async function run(
  signal: AbortSignal,
  { logger, graceMs }: Pick<MqttEquipment, "logger" | "graceMs">,
  { session, intake, discovered, sparkplug }: Parts,
): Promise<void> {
  const over = new AbortController();
  const taking = orAbort(discovered?.ready ?? Promise.resolve(), over.signal).then(() => session.run(over.signal));
  const working = Promise.all([
    taking,
    intake.run(over.signal),
    discovered?.run(over.signal),
    sparkplug?.run(over.signal),
  ]);
  const asked = Promise.withResolvers<void>();
  const left = onAbort(signal, asked.resolve);
  try {
    await Promise.race([working, asked.promise]);
    session.pause();
    sparkplug?.session.pause();
    const grace = AbortSignal.timeout(graceMs);
    await Promise.all([intake.idle(grace), sparkplug?.intake.idle(grace)]).catch((error: unknown) => {
      if (!grace.aborted) throw error;
      logger.warn({ messages: intake.held }, "MQTT messages were not stored in time: the broker sends them again");
    });
    session.connection?.end();
    discovered?.end();
    sparkplug?.end();
  } finally {
    left();
    over.abort(new Error("the process ends"));
    await working.catch(ignoreRejection);
  }
}

/** Each at most QoS 1. With a group, the broker gives a message to one of its members. */
function subscriptionsOf({ sharedGroup }: MqttSettings, filters: readonly string[]): Subscription[] {
  const shared = (filter: string) => (sharedGroup === undefined ? filter : `$share/${sharedGroup}/${filter}`);
  return filters.map((filter) => ({ filter: shared(filter), qos: 1 as const, retained: false }));
}

async function readRules(file: string | undefined): Promise<readonly Rule[]> {
  if (file === undefined) return [];
  const text = await readNamed("MQTT_MAPPING_FILE", file);
  try {
    return readMapping(text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const isList = error.message.includes("\n");
    throw new StartupError(`MQTT_MAPPING_FILE ${file}:${isList ? "\n" : " "}${error.message}.`, { cause: error });
  }
}
