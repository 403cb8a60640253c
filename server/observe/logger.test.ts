import { describe, expect, it } from "vitest";
import { createLogger } from "./logger.ts";

function lines(level: "info" | "debug" = "info") {
  const written: string[] = [];
  return { written, logger: createLogger({ level, write: (line) => written.push(line) }) };
}

describe("the log", () => {
  it("is one JSON object a line, with level, time and part", () => {
    const { written, logger } = lines();
    logger.child({ part: "store" }).warn({ tries: 2 }, "slow");
    expect(written).toHaveLength(1);
    expect(JSON.parse(written[0]!)).toMatchObject({ level: "warn", part: "store", tries: 2, msg: "slow" });
    expect(Number.isNaN(Date.parse(JSON.parse(written[0]!).time))).toBe(false);
  });

  it("cannot be made to show a line that was not written", () => {
    const { written, logger } = lines();
    logger.info({ sensor: 'x\n{"level":"fatal","msg":"forged"}' }, "refused\r\nforged");
    expect(written.join("").trimEnd().split("\n")).toHaveLength(1);
  });

  it("hides secrets by their names", () => {
    const { written, logger } = lines();
    logger.info({ authorization: "Bearer hunter2", request: { token: "hunter2", header: { cookie: "hunter2" } } }, "x");
    expect(written[0]).not.toContain("hunter2");
  });

  it("keeps the cause of an error", () => {
    const { written, logger } = lines();
    logger.error({ err: new Error("outer", { cause: new Error("inner") }) }, "failed");
    expect(JSON.parse(written[0]!).err.cause.message).toBe("inner");
  });

  it("leaves out what is below its level", () => {
    const { written, logger } = lines();
    logger.debug("detail");
    expect(written).toEqual([]);
  });
});
