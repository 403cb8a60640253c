import { describe, expect, it } from "vitest";
import { createLogger } from "./logger.ts";
import { createScrub } from "./scrub.ts";

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

  it.each([
    ["a token of ours", `tt_${"0".repeat(16)}_${"A".repeat(43)}`, "A".repeat(20)],
    ["a token that is cut", `tt_${"0".repeat(16)}_${"A".repeat(30)}…`, "A".repeat(20)],
    ["a bearer of any kind", 'Metadata string value "Bearer hunter2é" contains illegal characters', "hunter2"],
    ["a bearer behind a tab", "Bearer\thunter2", "hunter2"],
    ["Basic credentials", "Basic aHVudGVyMg==", "aHVudGVyMg"],
    ["a JWT", "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl", "c2lnbmF0dXJl"],
    ["an address with a password", "connect to postgresql://ann:hunter2@db:5432/x failed", "hunter2"],
    ["an address with a password alone", "redis://:hunter2@127.0.0.1:1", "hunter2"],
    ["a password in a query", "postgres://db/x?sslmode=on&password=hunter2", "hunter2"],
    ["a secret that it was told of", "it is pl4nted-secret, is it", "pl4nted-secret"],
  ])("hides %s in messages, errors and their causes", (_, text, secret) => {
    const written: string[] = [];
    const scrub = createScrub(["pl4nted-secret"]);
    const logger = createLogger({ level: "info", scrub, write: (line) => written.push(line) });
    logger.info(text);
    logger.info({ reason: text }, "x");
    logger.error({ err: new Error("outer", { cause: new Error(text) }) }, "failed");
    expect(written).toHaveLength(3);
    expect(written.join("")).not.toContain(secret);
    for (const line of written) JSON.parse(line);
  });

  it("leaves out what libraries hang onto their errors, such as the arguments of a command", () => {
    const { written, logger } = lines();
    const command = { name: "auth", args: ["ann", "hunter2"] };
    logger.error({ err: Object.assign(new Error("WRONGPASS"), { command, code: "E1", errno: 1 }) }, "failed");
    logger.error({ err: new Error("x", { cause: Object.assign(new Error("WRONGPASS"), { command }) }) }, "failed");
    expect(written.join("")).not.toContain("hunter2");
    expect(JSON.parse(written[0]!).err).toMatchObject({ message: "WRONGPASS", code: "E1", errno: 1 });
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
