/** What every collector is told: whom it sends to, and where it keeps what is on its way. */
import { hostname } from "node:os";
import type { Section } from "./section.ts";

const MiB = 1024 * 1024;
const MAX_PRODUCER = 100;

export interface CollectorSettings {
  /** Names this collector to the platform, the same after a restart. */
  readonly producer: string;
  readonly platform: {
    readonly url: string;
    readonly tokenFile: string | undefined;
    readonly caFile: string | undefined;
    readonly certFile: string | undefined;
    readonly keyFile: string | undefined;
  };
  readonly spool: {
    readonly folder: string;
    readonly maxBytes: number;
    readonly fsync: "never" | "batch";
  };
  /** Port of the loopback for Prometheus; undefined: none. */
  readonly metricsPort: number | undefined;
}

/** What is known of a sensor before anything is read. */
export interface SensorSettings {
  readonly sensorId: string;
  readonly sensorType: string;
  readonly unit: string;
  readonly location: string | undefined;
  readonly attributes: Readonly<Record<string, string>> | undefined;
}

/** @param kind of the collector, such as "modbus" */
export function readCollector(root: Section, kind: string): CollectorSettings {
  const platform = root.section("platform");
  const url = platform.optionalText("url") ?? process.env.TELLTALE_URL ?? "http://127.0.0.1:50051";
  if (!/^https?:\/\/[^/]+\/?$/.test(url)) platform.refuse("url", "like http://127.0.0.1:50051 or https://host:port");
  const files = {
    tokenFile: platform.optionalText("token_file"),
    caFile: platform.optionalText("ca_file"),
    certFile: platform.optionalText("cert_file"),
    keyFile: platform.optionalText("key_file"),
  };
  if ((files.certFile === undefined) !== (files.keyFile === undefined)) {
    platform.fault(
      files.certFile === undefined ? "key_file" : "cert_file",
      "needs the other one of cert_file, key_file",
    );
  }
  const spool = root.section("spool");
  return {
    producer: root.optionalText("producer", { max: MAX_PRODUCER }) ?? `${kind}:${hostname()}`.slice(0, MAX_PRODUCER),
    platform: { url, ...files },
    spool: {
      folder: spool.text("folder", { example: `/var/lib/telltale/${kind}` }),
      maxBytes: spool.number("max_mebibytes", { min: 1, max: 1_048_576, integer: true, default: 256 }) * MiB,
      fsync: spool.choice("fsync", ["batch", "never"], "batch"),
    },
    metricsPort: root.optionalNumber("metrics_port", { min: 0, max: 65_535, integer: true }),
  };
}

/** The fields of a sensor in a list of them. The limits are the contract's. */
export function readSensor(section: Section, fallback: { readonly sensorType: string }): SensorSettings {
  return {
    sensorId: section.text("sensor_id", { max: 200, example: "press-7/oil-temperature" }),
    sensorType: section.optionalText("sensor_type", { max: 50 }) ?? fallback.sensorType,
    unit: section.optionalText("unit", { max: 20 }) ?? "1",
    location: section.optionalText("location", { max: 100 }),
    attributes: section.attributes("attributes"),
  };
}

/** Two of one id would be mixed into one sensor. */
export function refuseRepeated(sections: readonly { readonly section: Section; readonly sensorId: string }[]): void {
  const seen = new Set<string>();
  for (const { section, sensorId } of sections) {
    if (sensorId !== "" && seen.has(sensorId)) section.fault("sensor_id", "is that of another sensor of this file");
    seen.add(sensorId);
  }
}
