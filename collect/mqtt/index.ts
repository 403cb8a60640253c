/** A broker at the edge: the platform's own mapping, with the spool in the place of its log. */
import { toDeviceReading } from "../../client/batch.ts";
import type { DeviceReading } from "../../client/index.ts";
import { systemClock } from "../../server/clock.ts";
import { StartupError, TelltaleError } from "../../server/errors.ts";
import type { MqttSettings } from "../../server/ingest/protocols/mqtt/settings.ts";
import { createLogger } from "../../server/observe/logger.ts";
import { mqttMetrics } from "../../server/observe/metrics.ts";
import type { MqttEquipment } from "../../server/wiring/mqtt-equipment.ts";
import { type MqttSource, openMqtt } from "../../server/wiring/mqtt-source.ts";
import { createCounters } from "../counters.ts";
import type { Collector, Sample, SourceParts } from "../source.ts";
import { inOwnNames, readMqttConfig } from "./config.ts";

/** At the end, messages in hand may take so long to be stored; the broker sends the others again. */
const GRACE_MS = 5_000;
/** So long is listened to what comes, where nothing is stored. */
const LISTEN_MS = 5_000;
const MAX_SAMPLES = 1_000;

/** @throws ConfigFault */
export function mqttCollector(file: string, text: string): Collector {
  const settings = readMqttConfig(file, text);
  return {
    settings,
    secrets: [settings.mqtt.password],
    open: (parts) => openSource(settings.mqtt, parts),
    sample: () => listen(settings.mqtt),
  };
}

async function openSource(
  mqtt: MqttSettings,
  { spool, counters, clock, logger }: Pick<SourceParts, "counters" | "clock" | "logger" | "spool">,
): Promise<MqttSource> {
  const ingestor: MqttEquipment["ingestor"] = {
    room: (signal) => spool.room(signal),
    checkRoom: () => {
      if (spool.isFull) throw new TelltaleError("exhausted", "the spool is full");
    },
    submit: ({ readings }) => ({ durable: spool.store(readings.map(toDeviceReading)), refusals: [] }),
  };
  const metrics = mqttMetrics([counters.registry]);
  try {
    const onEntities = () => {}; // names are the platform's, which is not there while devices describe themselves
    return await openMqtt(mqtt, { ingestor, clock, logger, metrics, onEntities, graceMs: GRACE_MS });
  } catch (error) {
    if (!(error instanceof StartupError)) throw error;
    throw new StartupError(inOwnNames(error.message), { cause: error });
  }
}

/** What comes in a few seconds, by a session of its own that the broker forgets: the collector's loses nothing by it. */
async function listen(mqtt: MqttSettings): Promise<Sample[]> {
  const readings: DeviceReading[] = [];
  const own: MqttSettings = {
    ...mqtt,
    clientId: `${mqtt.clientId}-check`,
    sessionExpirySeconds: 0,
    // A member of the group would take messages from the others, and a second host answers for the first.
    sharedGroup: undefined,
    sparkplugHostId: undefined,
  };
  const spool: SourceParts["spool"] = {
    isFull: false,
    puts: { begun: 0, stored: 0 },
    room: async () => {},
    offer: () => true,
    store: async (given) => {
      readings.push(...given.slice(0, MAX_SAMPLES - readings.length));
    },
  };
  const counters = createCounters();
  const source = await openSource(own, {
    spool,
    counters,
    clock: systemClock,
    logger: createLogger({ level: "info" }),
  });
  await source.run(AbortSignal.timeout(LISTEN_MS));
  if (readings.length === 0)
    throw new Error(
      `No reading came from ${source.address} within ${LISTEN_MS / 1_000} s for ${mqtt.topics.join(", ")}.`,
    );
  return readings.map((found) => ({ sensorId: found.sensorId, origin: "", found }));
}
