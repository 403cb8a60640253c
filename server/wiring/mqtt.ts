/** The user's broker as a source of the platform's readings. */
import type { Ingestor } from "../ingest/ingestor.ts";
import { Profiles } from "../registry/profiles.ts";
import type { Broker } from "./broker.ts";
import { EntityNames } from "./mqtt-names.ts";
import { openMqtt } from "./mqtt-source.ts";
import type { Storage } from "./storage.ts";
import type { Wiring } from "./wiring.ts";

/** Undefined where no broker is named, or the process takes no readings. */
export async function wireMqtt(w: Wiring, { sql }: Storage, ingestor: Ingestor): Promise<Broker | undefined> {
  const { config, clock, metrics, logger, cleanups, onFatal } = w;
  const { mqtt, roles, shutdownGraceMs: graceMs } = config;
  if (mqtt === undefined || !roles.has("ingest")) return undefined;
  const names = new EntityNames(new Profiles(sql, clock), (error) =>
    logger.warn({ err: error }, "a sensor's name could not be stored"),
  );
  const onEntities = names.add.bind(names);
  const source = await openMqtt(mqtt, { ingestor, clock, logger, metrics, onEntities, graceMs });
  return {
    address: source.address,
    ping: async () => {
      const fault = source.fault();
      if (fault !== undefined) throw new Error(fault);
    },
    start: () => {
      const ending = new AbortController();
      const working = source.run(ending.signal).catch((error: unknown) => {
        onFatal(error instanceof Error ? error : new Error(String(error)));
      });
      cleanups.add("MQTT", async () => {
        ending.abort(new Error("the process ends"));
        await working;
      });
    },
  };
}
