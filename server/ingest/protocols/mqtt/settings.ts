import { choice, type Environment, integer, list, refuse, text, url } from "../../../environment.ts";
import { StartupError } from "../../../errors.ts";
import { MAX_IN_FLIGHT } from "./limits.ts";
import { filterFault } from "./topics.ts";

/** The broker, and what is taken from it. */
export interface MqttSettings {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** Read at each connection, so that a new password needs no restart. */
  readonly passwordFile: string | undefined;
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly version: 4 | 5;
  /** Undefined: "telltale", or with the host's name where there are several. */
  readonly clientId: string | undefined;
  readonly topics: readonly string[];
  readonly mappingFile: string | undefined;
  /** Beginning of the topics in which devices describe themselves to Home Assistant; undefined: they are not read. */
  readonly discoveryPrefix: string | undefined;
  /** Telltale's name as a Sparkplug host application; undefined: it is none. */
  readonly sparkplugHostId: string | undefined;
  /** Replicas that share the messages. */
  readonly sharedGroup: string | undefined;
  readonly sessionExpirySeconds: number;
  readonly keepaliveSeconds: number;
  /** Messages that are not yet acknowledged. */
  readonly maxInFlight: number;
}

const PORTS: Readonly<Record<string, number>> = { "mqtt:": 1883, "mqtts:": 8883 };
const MAX_CLIENT_ID = 128;

/**
 * Reads what concerns the broker. Undefined where no broker is named.
 *
 * @param onFault hears of each fault, and what is answered is then of no use; by default the first one is thrown, as by `loadConfig`
 * @throws StartupError
 */
export function loadMqttSettings(env: Environment, onFault: OnFault = raise): MqttSettings | undefined {
  const read: Read = (setting) => {
    try {
      return setting();
    } catch (error) {
      if (!(error instanceof StartupError)) throw error;
      onFault(error);
      return undefined;
    }
  };
  const broker = read(() => readAddress(env));
  const settings = {
    ...read(() => readCredentials(env)),
    ...read(() => readTlsFiles(env)),
    ...readSubscription(env, read),
    ...readSession(env, read),
    ...readForms(env, read),
  };
  if (broker === undefined) return undefined;
  for (const name of ["MQTT_CA_FILE", "MQTT_CERT_FILE"]) {
    if (!broker.tls && text(env, name) !== undefined)
      onFault(new StartupError(`${name} is set, which needs an MQTT_URL of mqtts://.`));
  }
  // Whatever is missing in it, was a fault.
  return Object.freeze({
    ...settings,
    ...broker,
    username: settings.username ?? broker.username,
    password: settings.password ?? broker.password,
  }) as MqttSettings;
}

type OnFault = (fault: StartupError) => void;
/** What it reads; undefined where that is a fault. */
type Read = <T>(setting: () => T) => T | undefined;

function raise(fault: StartupError): never {
  throw fault;
}

function readAddress(env: Environment) {
  const address = url(env, "MQTT_URL", ["mqtt", "mqtts"]);
  if (address === undefined) return undefined;
  const { protocol, hostname, port, username, password, pathname } = new URL(address);
  if (hostname === "" || !["", "/"].includes(pathname)) {
    throw new StartupError(
      "MQTT_URL has no host, or a path behind it, but it must be mqtt://host:port or mqtts://host:port.",
    );
  }
  return {
    host: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: port === "" ? PORTS[protocol]! : Number(port),
    tls: protocol === "mqtts:",
    username: decoded(username),
    password: decoded(password),
  };
}

/** As people write it in an address: a percent sign that begins no escape stands for itself. */
function decoded(part: string): string | undefined {
  if (part === "") return undefined;
  try {
    return decodeURIComponent(part);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    return part;
  }
}

function readCredentials(env: Environment) {
  const password = text(env, "MQTT_PASSWORD");
  const passwordFile = text(env, "MQTT_PASSWORD_FILE");
  if (password !== undefined && passwordFile !== undefined) {
    throw new StartupError("MQTT_PASSWORD and MQTT_PASSWORD_FILE are both set: set one of them.");
  }
  return { username: text(env, "MQTT_USERNAME"), password, passwordFile };
}

function readTlsFiles(env: Environment) {
  const files = { certFile: text(env, "MQTT_CERT_FILE"), keyFile: text(env, "MQTT_KEY_FILE") };
  if ((files.certFile === undefined) !== (files.keyFile === undefined)) {
    throw new StartupError("MQTT_CERT_FILE and MQTT_KEY_FILE belong together: set both or neither.");
  }
  return { ...files, caFile: text(env, "MQTT_CA_FILE") };
}

function readSubscription(env: Environment, read: Read) {
  return {
    topics: read(() => topicsOf(env)),
    mappingFile: text(env, "MQTT_MAPPING_FILE"),
    sharedGroup: read(() => nameOf(env, "MQTT_SHARED_GROUP")),
  };
}

function topicsOf(env: Environment): readonly string[] {
  const given = list(env, "MQTT_TOPICS") ?? ["telltale/#"];
  const topics = given.length === 1 && given[0] === "none" ? [] : given;
  for (const topic of topics) {
    const fault = filterFault(topic);
    if (fault !== undefined) {
      refuse("MQTT_TOPICS", given.join(","), `"none" or a comma list of topic filters, but "${topic}" ${fault}`);
    }
  }
  return Object.freeze(topics);
}

/** A name that becomes a level of topics. */
function nameOf(env: Environment, variable: string): string | undefined {
  const name = text(env, variable);
  if (name !== undefined && /[/+#\0]/.test(name)) refuse(variable, name, 'a name without "/", "+" and "#"');
  return name;
}

function readSession(env: Environment, read: Read) {
  return {
    clientId: read(() => clientIdOf(env)),
    version: read(() => versionOf(env)),
    sessionExpirySeconds: read(() =>
      integer(env, "MQTT_SESSION_EXPIRY_SECONDS", 604_800, { min: 0, max: 4_294_967_295 }),
    ),
    keepaliveSeconds: read(() => integer(env, "MQTT_KEEPALIVE_SECONDS", 30, { min: 1, max: 65_535 })),
    maxInFlight: read(() => integer(env, "MQTT_MAX_IN_FLIGHT", 2_000, { min: 1, max: MAX_IN_FLIGHT })),
  };
}

function clientIdOf(env: Environment): string | undefined {
  const clientId = text(env, "MQTT_CLIENT_ID");
  if (clientId !== undefined && (clientId.length > MAX_CLIENT_ID || /\p{Cc}/u.test(clientId))) {
    refuse("MQTT_CLIENT_ID", clientId, `at most ${MAX_CLIENT_ID} characters without control characters`);
  }
  return clientId;
}

function versionOf(env: Environment): 4 | 5 {
  const version = text(env, "MQTT_VERSION") ?? "5";
  if (version !== "5" && version !== "3.1.1") refuse("MQTT_VERSION", version, "5 or 3.1.1");
  return version === "5" ? 5 : 4;
}

function readForms(env: Environment, read: Read) {
  const kind = read(() => choice(env, "MQTT_DISCOVERY", "none", ["none", "homeassistant"]));
  const prefix = read(() => prefixOf(env));
  return {
    discoveryPrefix: kind === "none" ? undefined : prefix,
    sparkplugHostId: read(() => nameOf(env, "MQTT_SPARKPLUG_HOST_ID")),
  };
}

function prefixOf(env: Environment): string {
  const prefix = text(env, "MQTT_DISCOVERY_PREFIX") ?? "homeassistant";
  const fault = /[+#]/.test(prefix) ? "has a wildcard" : filterFault(prefix);
  if (fault !== undefined || prefix.endsWith("/")) {
    refuse("MQTT_DISCOVERY_PREFIX", prefix, "a topic without wildcards and without a slash at its end");
  }
  return prefix;
}
