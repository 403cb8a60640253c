/** Commands that send a first reading, to copy: each names this platform's own address. */

export interface Command {
  readonly text: string;
  /** What a screen reader calls it. */
  readonly label: string;
  readonly command: string;
}

export interface Way {
  readonly name: string;
  readonly commands: readonly Command[];
}

export interface Here {
  /** Of this page, for example http://127.0.0.1:8000. */
  readonly origin: string;
  readonly hostname: string;
  /** Whether callers have to say who they are. */
  readonly needsToken: boolean;
}

const BODY = '{"readings":[{"sensorId":"boiler-1","sensorType":"temperature","value":61.5,"unit":"C"}]}';
const REST_BODY = '{"sensor_id":"boiler-1","sensor_type":"temperature","value":61.5,"unit":"C"}';
const GRPC_PORT = 50_051;

export function waysOf({ origin, hostname, needsToken }: Here): readonly Way[] {
  const header = needsToken ? " \\\n    -H 'authorization: Bearer TOKEN'" : "";
  const json = "-H 'content-type: application/json'";
  const grpc = `${hostname}:${GRPC_PORT}`;
  const platform = { url: `${new URL(origin).protocol}//${grpc}`, needsToken };
  return [
    {
      name: "curl",
      commands: [
        {
          text: "By REST:",
          label: "Command that sends a reading by REST",
          command: `curl ${origin}/api/v1/sensors/data ${json}${header} \\\n    -d '${REST_BODY}'`,
        },
        {
          text: "By Connect, many at once:",
          label: "Command that sends readings by Connect",
          command: `curl ${origin}/telltale.v1.IngestService/SubmitReadings ${json}${header} \\\n    -d '${BODY}'`,
        },
      ],
    },
    { name: "Python", commands: [python(origin, needsToken)] },
    {
      name: "gRPC",
      commands: [
        {
          text: `gRPC has a port of its own, ${GRPC_PORT} unless GRPC_PORT says otherwise:`,
          label: "Command that sends a reading by gRPC",
          command: `grpcurl -plaintext${needsToken ? " -H 'authorization: Bearer TOKEN'" : ""} -d '${BODY}' \\\n    ${grpc} telltale.v1.IngestService/SubmitReadings`,
        },
      ],
    },
    {
      name: "MQTT",
      commands: [
        {
          text: "The platform reads from your broker. In the platform's folder:",
          label: "Command that starts the platform with a broker",
          command: "MQTT_URL=mqtt://127.0.0.1:1883 npm start",
        },
        {
          text: "Then publish; what follows telltale/ is the sensor:",
          label: "Command that publishes a reading",
          command:
            'mosquitto_pub -t telltale/boiler-1 -q 1 \\\n    -m \'{"value":61.5,"unit":"C","type":"temperature"}\'',
        },
      ],
    },
    {
      name: "OpenTelemetry",
      commands: [
        {
          text: "For an application with an SDK:",
          label: "Settings of an OpenTelemetry SDK",
          command: [
            `export OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=${origin}/v1/metrics`,
            "export OTEL_EXPORTER_OTLP_METRICS_PROTOCOL=http/protobuf",
            "export OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=delta",
            ...(needsToken ? ['export OTEL_EXPORTER_OTLP_METRICS_HEADERS="authorization=Bearer%20TOKEN"'] : []),
          ].join("\n"),
        },
      ],
    },
    {
      name: "Prometheus",
      commands: [
        {
          text: "In prometheus.yml:",
          label: "Settings of Prometheus",
          command: [
            "remote_write:",
            `  - url: ${origin}/api/v1/write`,
            ...(needsToken ? ["    authorization: { credentials: TOKEN }"] : []),
            "    write_relabel_configs:",
            '      - { source_labels: [__name__], regex: ".*_bucket", action: drop }',
          ].join("\n"),
        },
      ],
    },
    { name: "Telegraf", commands: telegraf(origin, needsToken) },
    {
      name: "OPC UA",
      commands: collector("opcua", "line-3", platform, [
        "server: { endpoint: opc.tcp://192.0.2.30:4840 }",
        "nodes:",
        '  - { node_id: "ns=2;s=Press7.Oil", sensor_id: press-7/oil, sensor_type: temperature, unit: C }',
      ]),
    },
    {
      name: "Modbus",
      commands: collector("modbus", "press-hall", platform, [
        "devices:",
        "  - host: 192.0.2.20",
        "    interval: 1s",
        "    registers:",
        "      - { sensor_id: press-7/oil, sensor_type: temperature, unit: C, address: 100, scale: 0.1 }",
      ]),
    },
  ];
}

function telegraf(origin: string, needsToken: boolean): Command[] {
  return [
    {
      text: "In telegraf.conf, beside its inputs:",
      label: "Settings of Telegraf",
      command: [
        "[[outputs.influxdb_v2]]",
        `  urls = ["${origin}"]`,
        `  token = "${needsToken ? "TOKEN" : ""}"`,
        "  # Telegraf asks for them; they have no effect here.",
        '  organization = "telltale"',
        '  bucket = "telltale"',
      ].join("\n"),
    },
    {
      text: "Then start it:",
      label: "Command that starts Telegraf",
      command: "telegraf --config telegraf.conf",
    },
  ];
}

interface PlatformPlace {
  /** Of the gRPC endpoint. */
  readonly url: string;
  readonly needsToken: boolean;
}

/** @param kind as `telltale collect` has it  @param name of the file and of its spool  @param source what is read, by lines of the file */
function collector(
  kind: "opcua" | "modbus",
  name: string,
  { url, needsToken }: PlatformPlace,
  source: readonly string[],
): Command[] {
  const title = kind === "opcua" ? "OPC UA" : "Modbus";
  const run = (more = "") => `${needsToken ? "TELLTALE_TOKEN=TOKEN " : ""}telltale collect ${kind} ${name}.yaml${more}`;
  return [
    {
      text: `A collector polls it, from a machine that reaches it and this platform. ${name}.yaml, with your addresses and sensors:`,
      label: `Settings of a collector for ${title}`,
      command: [`platform: { url: "${url}" }`, `spool: { folder: ${name}.spool }`, ...source].join("\n"),
    },
    ...(kind === "modbus"
      ? []
      : [
          {
            text: "The list of nodes need not be written by hand:",
            label: "Command that lists the nodes of an OPC UA server",
            command: "telltale collect opcua browse opc.tcp://192.0.2.30:4840",
          },
        ]),
    {
      text: "Read everything once, print it, and store nothing:",
      label: `Command that tries a collector for ${title}`,
      command: run(" --check"),
    },
    { text: "Then, until Ctrl-C:", label: `Command that starts a collector for ${title}`, command: run() },
  ];
}

function python(origin: string, needsToken: boolean): Command {
  const headers = `{"content-type": "application/json"${needsToken ? ', "authorization": "Bearer TOKEN"' : ""}}`;
  const lines = [
    "python3 - <<'END'",
    "import json, urllib.request",
    'reading = {"sensor_id": "boiler-1", "sensor_type": "temperature", "value": 61.5, "unit": "C"}',
    `request = urllib.request.Request("${origin}/api/v1/sensors/data", json.dumps(reading).encode(),`,
    `                                 ${headers})`,
    "print(urllib.request.urlopen(request).read().decode())",
    "END",
  ];
  return {
    text: "With nothing but Python:",
    label: "Command that sends a reading by Python",
    command: lines.join("\n"),
  };
}
