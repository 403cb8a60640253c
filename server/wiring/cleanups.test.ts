import { expect, test } from "vitest";
import { recordingLogger } from "../../testing/logger.ts";
import { Cleanups } from "./cleanups.ts";

test("steps run once, the last one first, and one that fails is named and keeps no other from running", async () => {
  const { logger, lines } = recordingLogger();
  const cleanups = new Cleanups();
  const order: string[] = [];
  cleanups.add("database", () => void order.push("database"));
  cleanups.add("log", async () => {
    throw new Error("broken pipe");
  });
  cleanups.add("listener", async () => void order.push("listener"));
  await cleanups.run(logger);
  await cleanups.run(logger);
  expect(order).toEqual(["listener", "database"]);
  expect(lines().map(({ step }) => step)).toEqual(["log"]);
});
