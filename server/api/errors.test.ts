import { Code } from "@connectrpc/connect";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { ErrorInfoSchema } from "../../gen/es/google/rpc/error_details_pb.ts";
import { SampledLines } from "../observe/sampled.ts";
import { errorInterceptor, toConnectError } from "./errors.ts";

const failure = (code: string) => Object.assign(new Error("secret of the database"), { code });

describe("a failure of the database", () => {
  test.each(["53000", "53200", "53400"])("%s of one statement closes nothing: the call may be made again", (code) => {
    const error = toConnectError(failure(code));
    expect(error.code).toBe(Code.Unavailable);
    expect(error.rawMessage).toMatch(new RegExp(`^the database .* \\(SQLSTATE ${code}\\): try again later$`));
    expect(error.metadata.get("retry-after")).toBe("2");
    expect(error.findDetails(ErrorInfoSchema)).toEqual([]);
  });

  test.each(["08006", "57P01", "57P03", "CONNECTION_CLOSED", "CONNECT_TIMEOUT", "ECONNREFUSED"])(
    "%s, when nobody answers: the call may be made again",
    (code) => {
      const error = toConnectError(failure(code));
      expect([error.code, error.rawMessage]).toEqual([
        Code.Unavailable,
        "the database does not answer: try again later",
      ]);
      expect(error.metadata.get("retry-after")).toBe("2");
    },
  );

  test("a file that is not there is no database that does not answer, a socket is", () => {
    const syscall = (name: string) => Object.assign(failure("ENOENT"), { syscall: name });
    expect(toConnectError(syscall("open")).code).toBe(Code.Internal);
    expect(toConnectError(syscall("connect")).code).toBe(Code.Unavailable);
  });

  test.each(["53100", "25006"])("%s, which only writes meet, is want of room", (code) => {
    const error = toConnectError(failure(code));
    expect(error.code).toBe(Code.ResourceExhausted);
    expect(error.metadata.get("retry-after")).toBe("10");
    expect(error.findDetails(ErrorInfoSchema).map(({ reason }) => reason)).toEqual(["STORAGE_FULL"]);
  });

  test("42P01 is a mistake of ours, of which nothing is said", () => {
    const error = toConnectError(failure("42P01"));
    expect([error.code, error.rawMessage]).toEqual([Code.Internal, "Internal server error"]);
  });

  test("for want of resources is in the log, with the call", async () => {
    const lines: string[] = [];
    const logger = pino({ level: "info" }, { write: (line: string) => void lines.push(line) });
    const call = errorInterceptor(logger, new SampledLines(logger))(() => Promise.reject(failure("53400")));
    const request = {
      ...{ service: { typeName: "telltale.v1.QueryService" }, method: { name: "ListReadings" } },
      ...{ header: new Headers(), signal: new AbortController().signal },
    };
    await expect(call(request as never)).rejects.toMatchObject({ code: Code.Unavailable });
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { method: "telltale.v1.QueryService/ListReadings", err: { code: "53400" } },
    ]);
  });
});
