/** The configuration of `telltale collect opcua`. */
import { readConfig, type Section } from "../config/section.ts";
import {
  type CollectorSettings,
  readCollector,
  readSensor,
  refuseRepeated,
  type SensorSettings,
} from "../config/settings.ts";

const EXAMPLE = '- { node_id: "ns=2;s=Press7.Oil", sensor_id: press-7/oil }';
const POLICIES = ["none", "Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"] as const;
const MODES = ["sign", "sign_and_encrypt"] as const;
const NODE_ID = /^(ns=\d{1,5};)?([isgb])=.+$/;
const FINGERPRINT = /^([0-9a-f]{2}:?){31}[0-9a-f]{2}$/i;

export interface EndpointSettings {
  readonly endpoint: string;
  /** "none": everybody on the way can read and change what is sent. */
  readonly securityPolicy: (typeof POLICIES)[number];
  readonly securityMode: (typeof MODES)[number];
  /** The server's certificate, by file or by SHA-256 in hex; with a policy one of them is needed. */
  readonly serverCertificate: string | undefined;
  readonly serverFingerprint: string | undefined;
  /** Folder of the own certificate and key, which are made where they are not there. */
  readonly certificateFolder: string;
  readonly username: string | undefined;
  readonly passwordFile: string | undefined;
}

export interface NodeSettings extends SensorSettings {
  readonly nodeId: string;
  readonly samplingMs: number;
  readonly queueSize: number;
  /** In the value's unit; 0: every change is sent. */
  readonly deadband: number;
}

export interface OpcuaSettings extends CollectorSettings {
  readonly server: EndpointSettings;
  readonly publishingMs: number;
  /** How old what is read from the server's history after an outage may be; 0: it is not read. */
  readonly historyMs: number;
  readonly nodes: readonly NodeSettings[];
}

/** @throws ConfigFault */
export function readOpcuaConfig(file: string, text: string): OpcuaSettings {
  return readConfig(file, text, (root) => {
    const settings = readCollector(root, "opcua");
    const server = readEndpoint(root.section("server"), settings.spool.folder);
    const samplingMs = samplingOf(root, 1_000);
    const sections = root.sections("nodes", { example: EXAMPLE });
    const nodes = sections.map((section) => readNode(section, samplingMs));
    refuseRepeated(nodes.map(({ sensorId }, i) => ({ sensorId, section: sections[i]! })));
    const publishingMs = root.duration("publishing_interval", { min: "50ms", max: "1m", fallback: 1_000 });
    const historyMs = root.duration("history", { min: "0s", max: "31d", fallback: 86_400_000 });
    return { ...settings, server, publishingMs, historyMs, nodes };
  });
}

/** Of a server without security, which is only looked at. */
export function openEndpoint(endpoint: string, certificateFolder: string): EndpointSettings {
  return {
    ...{ endpoint, certificateFolder, securityPolicy: "none", securityMode: "sign_and_encrypt" },
    ...{ serverCertificate: undefined, serverFingerprint: undefined, username: undefined, passwordFile: undefined },
  };
}

/** The server of a configuration, which may have no nodes yet. @throws ConfigFault */
export function readServer(file: string, text: string): EndpointSettings {
  return readConfig(file, text, (root) => {
    const { spool } = readCollector(root, "opcua");
    root.ignore("nodes", "sampling_interval", "publishing_interval", "history");
    return readEndpoint(root.section("server"), spool.folder);
  });
}

function readEndpoint(section: Section, spoolFolder: string): EndpointSettings {
  const endpoint = section.text("endpoint", { example: "opc.tcp://192.0.2.30:4840" });
  if (endpoint !== "" && !/^opc\.tcp:\/\/[^/\s]+/.test(endpoint))
    section.refuse("endpoint", "like opc.tcp://host:4840");
  const settings = {
    endpoint,
    securityPolicy: section.choice("security_policy", POLICIES, "none"),
    securityMode: section.choice("security_mode", MODES, "sign_and_encrypt"),
    serverCertificate: section.optionalText("server_certificate"),
    serverFingerprint: section.optionalText("server_fingerprint"),
    certificateFolder: section.optionalText("certificate_folder") ?? `${spoolFolder}-certificates`,
    username: section.optionalText("username"),
    passwordFile: section.optionalText("password_file"),
  };
  if (settings.serverFingerprint !== undefined && !FINGERPRINT.test(settings.serverFingerprint)) {
    section.refuse("server_fingerprint", "the SHA-256 of the certificate: 64 digits in hex, with or without colons");
  }
  const isSecure = settings.securityPolicy !== "none";
  if (!isSecure && section.has("security_mode")) section.fault("security_mode", "needs a security_policy");
  for (const name of ["server_certificate", "server_fingerprint"]) {
    if (!isSecure && section.has(name))
      section.fault(name, "needs a security_policy: without one nothing proves who answers");
  }
  return settings;
}

function readNode(section: Section, samplingMs: number): NodeSettings {
  const nodeId = section.text("node_id", { example: '"ns=2;s=Press7.Oil"' });
  if (nodeId !== "" && !NODE_ID.test(nodeId)) section.refuse("node_id", "like ns=2;s=Press7.Oil or ns=2;i=1042");
  return {
    ...readSensor(section, { sensorType: "opcua" }),
    nodeId,
    samplingMs: samplingOf(section, samplingMs),
    queueSize: section.number("queue_size", { min: 1, max: 10_000, integer: true, default: 10 }),
    deadband: section.number("deadband", { min: 0, max: Number.MAX_VALUE, default: 0 }),
  };
}

function samplingOf(section: Section, fallback: number): number {
  return section.duration("sampling_interval", { min: "10ms", max: "1d", fallback });
}
