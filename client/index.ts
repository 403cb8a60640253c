export { createDeviceClient } from "./client.ts";
export type {
  Counts,
  DeviceBlock,
  DeviceClient,
  DeviceClientOptions,
  DeviceReading,
  Progress,
  RefusedReading,
} from "./types.ts";
