export { createDeviceClient } from "./client.ts";
export type {
  BufferDamage,
  Counts,
  DeviceBlock,
  DeviceClient,
  DeviceClientOptions,
  DeviceReading,
  Progress,
  RefusedReading,
} from "./types.ts";
