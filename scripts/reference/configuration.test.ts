import { expect, it } from "vitest";
import { configurationPage } from "./configuration.ts";
import { sentence } from "./markdown.ts";

const row = (name: string) =>
  configurationPage()
    .split("\n")
    .find((line) => line.startsWith(`| \`${name}\` |`));

it("spells the values that somebody is to copy as the platform takes them", () => {
  expect(row("MQTT_DISCOVERY")).toContain("| homeassistant: devices");
  expect(row("AUTH")).toContain("| on: every call");
  expect(sentence("postgresql://… or a file")).toBe("postgresql://… or a file.");
  expect(sentence("default: now")).toBe("Default: now.");
});

it("says all that stands behind a variable's name and its section's", () => {
  expect(row("ROLE")).toContain("all, or a comma list of ingest, score, query, notify, gateway");
  expect(row("INCIDENT_WINDOW_SECONDS")).toContain("| Alerts that belong together. With other values");
});
