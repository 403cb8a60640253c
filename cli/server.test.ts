import { expect, test } from "vitest";
import { outageReporter } from "./server.ts";

test("where no server was found yet, the report of it says how another address is given", () => {
  const said: string[] = [];
  const report = outageReporter((text) => said.push(text));
  for (const connected of [false, false, true, false]) report({ connected, reason: "no answer" });
  expect(said).toEqual([
    "The server is unavailable (no answer); retrying until it is back. Another address: --url, or TELLTALE_URL.",
    "The server is back; continuing.",
    "The server is unavailable (no answer); retrying until it is back.",
  ]);
});
