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
