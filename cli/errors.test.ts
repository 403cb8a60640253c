import { Code, ConnectError } from "@connectrpc/connect";
import type { Command } from "commander";
import { expect, test } from "vitest";
import { simulateCommand } from "./commands/simulate.ts";
import { number, sentence } from "./errors.ts";

test("who calls without a token is told how a command takes one", () => {
  expect(sentence(new ConnectError("Say who calls", Code.Unauthenticated))).toBe(
    "The server refused (Unauthenticated): Say who calls (TELLTALE_TOKEN or --token)",
  );
  expect(sentence(new ConnectError("no", Code.PermissionDenied))).toBe("The server refused (PermissionDenied): no");
});

test("who reaches no server is told how another address is given", () => {
  expect(sentence(new ConnectError("connect ECONNREFUSED 127.0.0.1:50051", Code.Unavailable))).toBe(
    "The server cannot be reached: connect ECONNREFUSED 127.0.0.1:50051. Is it running? Another address: --url, or TELLTALE_URL.",
  );
  expect(sentence(new ConnectError("The server stops", Code.Unavailable))).toBe(
    "The server cannot be reached: The server stops",
  );
});

test("a number without bounds is asked for without them", () => {
  const any = { min: -Number.MAX_VALUE, max: Number.MAX_VALUE };
  expect(() => number(any)("70C")).toThrow("Wanted a number such as 70 or -3.5.");
  expect(() => number({ min: 1e-9, max: Number.MAX_VALUE })("-1")).toThrow("Wanted a number of at least 1e-9.");
});

test("a refused speed is told all that the option takes", async () => {
  let printed = "";
  const command: Command = simulateCommand()
    .exitOverride()
    .configureOutput({ writeErr: (text) => (printed += text) });
  await expect(command.parseAsync(["--speed", "fast"], { from: "user" })).rejects.toThrow("is invalid");
  expect(printed).toContain("Wanted a number from 0.001 to 1000000000, or max.");
});
