import { systemClock } from "../../server/clock.ts";
import type { Collector } from "../source.ts";
import { readModbusConfig } from "./config.ts";
import { modbusSource, sampleModbus } from "./source.ts";

/** @throws ConfigFault */
export function modbusCollector(file: string, text: string): Collector {
  const settings = readModbusConfig(file, text);
  return {
    settings,
    secrets: [],
    open: (parts) => modbusSource(settings, parts),
    sample: () => sampleModbus(settings, () => systemClock.nowUs()),
  };
}
