import { metric, until } from "./metric.ts";
import type { Platform } from "./platform.ts";

/** Resolves when the platform takes messages from its broker. */
export function connectedToBroker({ http }: Platform): Promise<void> {
  return until(async () => (await metric(http, "telltale_mqtt_connected")) === 1);
}
