import { expect, test } from "vitest";
import { createLogger } from "./logger.ts";
import { requestId, SampledLines } from "./sampled.ts";

test("a flood of refusals is a line a second of each kind, and the line says how many went without one", () => {
  const lines: string[] = [];
  let now = 0;
  const sampled = new SampledLines(createLogger({ level: "info", write: (line) => lines.push(line) }), () => now);
  for (now = 0; now < 2_500; now++) {
    sampled.say("future", { reason: "future" }, "readings refused", 2);
    if (now % 1000 === 0) sampled.say("invalid", { reason: "invalid" }, "readings refused");
  }
  const told = lines.map((line) => JSON.parse(line)).map(({ reason, more }) => [reason, more]);
  // The first line stands for two readings itself; each of the others for those of the second before it too.
  expect(told.filter(([reason]) => reason === "future")).toEqual([
    ["future", 1],
    ["future", 1999],
    ["future", 1999],
  ]);
  expect(told.filter(([reason]) => reason === "invalid")).toHaveLength(3);
});

test("a caller's request id is kept where a line can bear it", () => {
  expect(requestId("press-7:41")).toBe("press-7:41");
  for (const given of [null, "", "a b", "x".repeat(101), 'a"\n']) expect(requestId(given)).toMatch(/^[0-9a-f-]{36}$/);
});
