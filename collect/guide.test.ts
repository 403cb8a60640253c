import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { LOSS_REASONS } from "./counters.ts";
import { readModbusConfig } from "./modbus/config.ts";
import { readMqttConfig } from "./mqtt/config.ts";
import { readOpcuaConfig } from "./opcua/config.ts";

const guide = readFileSync(new URL("../docs/guides/collectors.md", import.meta.url), "utf8");
const [modbus = "", opcua = "", mqtt = "", ...more] = [...guide.matchAll(/```yaml\n(.*?)```/gs)].map(
  ([, text]) => text!,
);

test("the configurations of the guide are taken as they stand there", () => {
  expect(readModbusConfig("guide", modbus).devices[0]!.registers.map(({ sensorId, type }) => [sensorId, type])).toEqual(
    [
      ["press-7/oil", "int16"],
      ["press-7/pressure", "float32"],
      ["press-7/running", "bit"],
    ],
  );
  expect(readOpcuaConfig("guide", opcua)).toMatchObject({
    server: { securityPolicy: "Basic256Sha256", username: "telltale" },
    nodes: [{ sensorId: "press-7/oil", samplingMs: 500, deadband: 0.1 }],
  });
  expect(readMqttConfig("guide", mqtt).mqtt).toMatchObject({ host: "127.0.0.1", topics: ["telltale/#"] });
  expect(more).toEqual([]);
});

test("the guide says what each reason of a loss means", () => {
  const named = [...guide.matchAll(/^\| `(\w+)` \| [^|]+ \|$/gm)].map(([, name]) => name);
  expect(named).toEqual(expect.arrayContaining([...LOSS_REASONS]));
});

test("an OPC UA configuration that is wrong is refused with each line", () => {
  const read =
    (...lines: string[]) =>
    () =>
      readOpcuaConfig(
        "line.yaml",
        ["spool: { folder: x }", "server:", ...lines, "nodes:", "  - { sensor_id: a }"].join("\n"),
      );
  expect(read("  endpoint: http://plc", "  security_mode: sign")).toThrow(
    [
      'line.yaml, line 3: server.endpoint is "http://plc", but it must be like opc.tcp://host:4840',
      "line.yaml, line 4: server.security_mode needs a security_policy",
      'line.yaml, line 6: nodes[0].node_id is missing: write for example node_id: "ns=2;s=Press7.Oil"',
    ].join("\n"),
  );
  expect(read("  endpoint: opc.tcp://plc", "  security_policy: Basic256Sha256", "  server_fingerprint: AA:BB")).toThrow(
    'line 5: server.server_fingerprint is "AA:BB", but it must be the SHA-256 of the certificate',
  );
});

test("an MQTT configuration that is wrong is refused with the names of the file", () => {
  const read =
    (...lines: string[]) =>
    () =>
      readMqttConfig("edge.yaml", ["spool: { folder: x }", "mqtt:", ...lines].join("\n"));
  expect(read("  topics: [plant/#/x]", "  url: mqtt://a")).toThrow(
    /^edge\.yaml, line 3: mqtt\.topics is "plant\/#\/x", but it must be "none" or a comma list of topic filters/,
  );
  expect(read("  ca_file: ca.pem", "  url: mqtt://a")).toThrow(
    "edge.yaml, line 3: mqtt.ca_file is set, which needs an url of mqtts://",
  );
  expect(read("  topics: [a]")).toThrow("mqtt.url is missing: write for example url: mqtt://192.0.2.10:1883");
  expect(read("  url: mqtt://a", "  topic: a")).toThrow(
    "edge.yaml, line 4: mqtt.topic is no setting; did you mean topics?",
  );
});
