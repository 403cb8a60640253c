import { expect, test } from "vitest";
import { LogClock } from "./log-clock.ts";

test("a clock that went back is said once a minute for each partition, and that it has caught up once", () => {
  const lines: string[] = [];
  let nowMs = 0;
  const line = (level: string) => (fields: object) => lines.push(`${level} ${JSON.stringify(fields)}`);
  const clock = new LogClock({ warn: line("warn"), info: line("info") } as never, () => nowMs);
  const committed = (partition: number, clockBehindMs: number) => clock.committed({ partition, clockBehindMs });
  committed(0, 0);
  committed(0, 9_000);
  expect(lines).toEqual([]);
  committed(0, 10_800_000);
  committed(0, 10_799_000);
  committed(1, 10_799_000);
  nowMs = 61_000;
  committed(0, 10_739_000);
  committed(0, 0);
  committed(0, 0);
  expect(lines).toEqual([
    'warn {"partition":0,"behindSeconds":10800}',
    'warn {"partition":1,"behindSeconds":10799}',
    'warn {"partition":0,"behindSeconds":10739}',
    'info {"partition":0}',
  ]);
});
