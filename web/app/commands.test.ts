import { expect, test } from "vitest";
import { waysOf } from "./commands.ts";

const HERE = { origin: "https://plant.example:8000", hostname: "plant.example" };
const textsOf = (needsToken: boolean) =>
  waysOf({ ...HERE, needsToken }).flatMap(({ name, commands }) => commands.map(({ command }) => ({ name, command })));

test("each way that goes to the platform names its address", () => {
  for (const { name, command } of textsOf(false))
    if (name !== "MQTT") expect(command, name).toContain(name === "gRPC" ? "plant.example:50051" : HERE.origin);
});

test("a token stands in commands only where callers have to say who they are", () => {
  expect(textsOf(false).filter(({ command }) => /TOKEN|authorization/.test(command))).toEqual([]);
  const without = textsOf(true).filter(({ command }) => !command.includes("TOKEN"));
  // The broker has credentials of its own.
  expect(new Set(without.map(({ name }) => name))).toEqual(new Set(["MQTT"]));
});
