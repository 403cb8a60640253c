import type { Clock } from "../clock.ts";
import type { Ingestor } from "../ingest/ingestor.ts";
import type { Entity } from "../ingest/protocols/mqtt/discovery/entity.ts";
import type { ReadingSink } from "../ingest/protocols/mqtt/intake.ts";
import type { Logger } from "../observe/logger.ts";
import type { Metrics } from "../observe/metrics.ts";

/** What a source of MQTT messages works with: the platform's own, or a collector's. */
export interface MqttEquipment {
  /** Acknowledged to the broker is what it calls durable. */
  readonly ingestor: ReadingSink & Pick<Ingestor, "checkRoom">;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, "mqttConnected" | "mqttMessages" | "mqttSkipped">;
  /** What devices have said of themselves. */
  readonly onEntities: (entities: readonly Entity[]) => void;
  /** At the end, how long messages in hand may take to be stored. */
  readonly graceMs: number;
}
