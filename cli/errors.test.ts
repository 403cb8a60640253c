import { Code, ConnectError } from "@connectrpc/connect";
import type { Command } from "commander";
import { expect, test } from "vitest";
import { simulateCommand } from "./commands/simulate.ts";
import { sentence } from "./errors.ts";

test("who calls without a token is told how a command takes one", () => {
  expect(sentence(new ConnectError("Say who calls", Code.Unauthenticated))).toBe(
    "The server refused (Unauthenticated): Say who calls (TELLTALE_TOKEN or --token)",
  );
  expect(sentence(new ConnectError("no", Code.PermissionDenied))).toBe("The server refused (PermissionDenied): no");
});

test("a refused speed is told all that the option takes", async () => {
  let printed = "";
  const command: Command = simulateCommand()
    .exitOverride()
    .configureOutput({ writeErr: (text) => (printed += text) });
  await expect(command.parseAsync(["--speed", "fast"], { from: "user" })).rejects.toThrow("is invalid");
  expect(printed).toContain("Wanted a number from 0.001 to 1000000000, or max.");
});
