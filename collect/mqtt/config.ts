/** The configuration of `telltale collect mqtt`: the platform's own settings of a broker, in a file. */
import { loadMqttSettings, type MqttSettings } from "../../server/ingest/protocols/mqtt/settings.ts";
import { readConfig, type Section } from "../config/section.ts";
import { type CollectorSettings, readCollector } from "../config/settings.ts";

/** Each is the platform's variable of that name, in small letters and without MQTT_. */
const NAMES = [
  ...["url", "username", "password_file", "ca_file", "cert_file", "key_file", "version", "client_id", "topics"],
  ...["mapping_file", "discovery", "discovery_prefix", "sparkplug_host_id", "shared_group"],
  ...["session_expiry_seconds", "keepalive_seconds", "max_in_flight"],
];

export interface MqttCollectorSettings extends CollectorSettings {
  readonly mqtt: MqttSettings;
}

/** @throws ConfigFault */
export function readMqttConfig(file: string, text: string): MqttCollectorSettings {
  return readConfig(file, text, (root) => {
    const settings = readCollector(root, "mqtt");
    const mqtt = readBroker(root.section("mqtt"), settings.producer);
    // Without a broker there is a fault, and nobody sees what is returned.
    return { ...settings, mqtt: mqtt as MqttSettings };
  });
}

function readBroker(section: Section, producer: string): MqttSettings | undefined {
  const given = NAMES.map((name) => [variable(name), section.texts(name)?.join(",")] as const);
  // A password stands in no file that is read for more than that.
  const environment = { ...Object.fromEntries(given), MQTT_PASSWORD: process.env.MQTT_PASSWORD };
  const settings = loadMqttSettings(environment, (fault) => {
    const [name, ...rest] = inOwnNames(fault.message).replace(/\.$/, "").split(" ");
    section.fault(NAMES.includes(name!) ? name! : "url", rest.join(" "));
  });
  if (!section.has("url")) section.missing("url", "mqtt://192.0.2.10:1883");
  // The session of the broker is of this collector, and not that of a platform beside it.
  return settings && { ...settings, clientId: settings.clientId ?? producer };
}

function variable(name: string): string {
  return `MQTT_${name.toUpperCase()}`;
}

/** What the platform says about its variables, about those of the file. */
export function inOwnNames(message: string): string {
  return NAMES.reduce((text, name) => text.replaceAll(new RegExp(`\\b${variable(name)}\\b`, "g"), name), message);
}
