import { expect, test } from "vitest";
import { readModbusConfig } from "../../collect/modbus/config.ts";
import { readOpcuaConfig } from "../../collect/opcua/config.ts";
import { waysOf } from "./commands.ts";

const HERE = { origin: "https://plant.example:8000", hostname: "plant.example" };
const GRPC = ["gRPC", "OPC UA", "Modbus"];
/** All that is to be copied, by the name of the way. */
const textsOf = (needsToken: boolean) =>
  new Map(waysOf({ ...HERE, needsToken }).map(({ name, commands }) => [name, commands.map(({ command }) => command)]));

test("each way that goes to the platform names its address", () => {
  for (const [name, commands] of textsOf(false))
    if (name !== "MQTT")
      expect(commands.join("\n"), name).toContain(GRPC.includes(name) ? "plant.example:50051" : HERE.origin);
});

test("a token stands in commands only where callers have to say who they are", () => {
  const all = (needsToken: boolean) =>
    [...textsOf(needsToken)].map(([name, commands]) => ({ name, text: commands.join() }));
  expect(all(false).filter(({ text }) => /TOKEN|authorization/.test(text))).toEqual([]);
  const without = all(true).filter(({ text }) => !text.includes("TOKEN"));
  // The broker has credentials of its own.
  expect(without.map(({ name }) => name)).toEqual(["MQTT"]);
});

test("collectors take their settings as they stand", () => {
  const texts = textsOf(true);
  const opcua = readOpcuaConfig("line-3.yaml", texts.get("OPC UA")![0]!);
  expect(opcua).toMatchObject({ nodes: [{ sensorId: "press-7/oil" }] });
  const modbus = readModbusConfig("press-hall.yaml", texts.get("Modbus")![0]!);
  expect(modbus.devices).toMatchObject([{ host: "192.0.2.20", registers: [{ sensorId: "press-7/oil" }] }]);
  for (const { platform } of [opcua, modbus]) expect(platform.url).toBe("https://plant.example:50051");
});
