/** The configuration of `telltale collect modbus`. */
import { readConfig, type Section } from "../config/section.ts";
import {
  type CollectorSettings,
  readCollector,
  readSensor,
  refuseRepeated,
  type SensorSettings,
} from "../config/settings.ts";
import { isBitTable, ORDERS, type RegisterPlace, type RegisterType, TABLES, TYPES, widthOf } from "./registers.ts";

const EXAMPLE = "- { sensor_id: press-7/oil, table: holding, address: 100, type: int16 }";
const NUMBERS = { min: -Number.MAX_VALUE, max: Number.MAX_VALUE } as const;

export interface Register extends RegisterPlace, SensorSettings {
  readonly scale: number;
  readonly offset: number;
  readonly intervalMs: number;
  readonly deadband: number;
  /** With a deadband: a value is sent at least so often. */
  readonly heartbeatMs: number;
}

export interface Device {
  readonly host: string;
  readonly port: number;
  readonly unitId: number;
  /** Of one request. */
  readonly timeoutMs: number;
  readonly maxGap: number;
  readonly registers: readonly Register[];
}

export interface ModbusSettings extends CollectorSettings {
  readonly devices: readonly Device[];
}

/** @throws ConfigFault */
export function readModbusConfig(file: string, text: string): ModbusSettings {
  return readConfig(file, text, (root) => {
    const sensors: { section: Section; sensorId: string }[] = [];
    const devices = root
      .sections("devices", { example: "- { host: 192.0.2.20, registers: […] }" })
      .map((section) => readDevice(section, sensors));
    refuseRepeated(sensors);
    return { ...readCollector(root, "modbus"), devices };
  });
}

function readDevice(section: Section, sensors: { section: Section; sensorId: string }[]): Device {
  const device = {
    host: section.text("host", { example: "192.0.2.20" }),
    port: section.number("port", { min: 1, max: 65_535, integer: true, default: 502 }),
    unitId: section.number("unit_id", { min: 0, max: 255, integer: true, default: 1 }),
    timeoutMs: section.duration("timeout", { min: "50ms", max: "1m", fallback: 2_000 }),
    maxGap: section.number("max_gap", { min: 0, max: 100, integer: true, default: 0 }),
  };
  const intervalMs = intervalOf(section, 1_000);
  const orders = {
    wordOrder: section.choice("word_order", ORDERS, "big"),
    byteOrder: section.choice("byte_order", ORDERS, "big"),
  };
  const registers = section.sections("registers", { example: EXAMPLE }).map((each) => {
    const register = readRegister(each, intervalMs, orders);
    sensors.push({ section: each, sensorId: register.sensorId });
    return register;
  });
  return { ...device, registers };
}

function readRegister(
  section: Section,
  intervalMs: number,
  orders: Pick<RegisterPlace, "wordOrder" | "byteOrder">,
): Register {
  const table = section.choice("table", TABLES, "holding");
  const fallback: RegisterType = isBitTable(table) ? "bit" : "int16";
  const type = section.choice("type", TYPES, fallback);
  if (isBitTable(table) && type !== "bit") section.refuse("type", `bit: a ${table} has no other`);
  const address = section.requiredNumber("address", { min: 0, max: 65_535, integer: true, example: "100" });
  if (address + widthOf({ type }) > 65_536)
    section.fault("address", `is ${address}: the last of its registers would be past 65535`);
  const scale = section.number("scale", { ...NUMBERS, default: 1 });
  if (scale === 0) section.refuse("scale", "another number than 0");
  const withBit = type === "bit" && !isBitTable(table);
  return {
    ...readSensor(section, { sensorType: "modbus" }),
    ...{ table, address, type },
    bit: withBit ? section.requiredNumber("bit", { min: 0, max: 15, integer: true, example: "3" }) : 0,
    wordOrder: section.choice("word_order", ORDERS, orders.wordOrder),
    byteOrder: section.choice("byte_order", ORDERS, orders.byteOrder),
    scale,
    offset: section.number("offset", { ...NUMBERS, default: 0 }),
    intervalMs: intervalOf(section, intervalMs),
    deadband: section.number("deadband", { min: 0, max: Number.MAX_VALUE, default: 0 }),
    heartbeatMs: section.duration("heartbeat", { min: "1s", max: "1d", fallback: 60_000 }),
  };
}

function intervalOf(section: Section, fallback: number): number {
  return section.duration("interval", { min: "20ms", max: "1d", fallback });
}
