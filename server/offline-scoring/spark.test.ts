import { describe, expect, it } from "vitest";
import { jdbcOptions } from "./engines.ts";
import { wholeDays } from "./rescore.ts";
import { parseRemote } from "./spark.ts";

const DAY = 86_400_000_000;

describe("SPARK_REMOTE", () => {
  it("names host and port, 15002 where there is none, and who asks", () => {
    const plain = { baseUrl: "http://spark:15002", token: undefined, userId: "telltale" };
    expect(parseRemote("sc://spark")).toEqual(plain);
    expect(parseRemote("sc://spark:15002/")).toEqual(plain);
    expect(parseRemote("sc://[::1]:7/;user_id=me")).toEqual({ ...plain, baseUrl: "http://[::1]:7", userId: "me" });
  });

  it("never sends a token in the clear", () => {
    expect(parseRemote("sc://spark:443/;token=a%3Db")).toMatchObject({ baseUrl: "https://spark:443", token: "a=b" });
    expect(parseRemote("sc://spark/;use_ssl=true").baseUrl).toBe("https://spark:15002");
  });

  it.each(["spark:15002", "http://spark", "sc://", "sc://spark:x", "sc://spark/;colour=red", "sc://spark/;token"])(
    "is refused as %s, with what is wanted",
    (remote) => expect(() => parseRemote(remote)).toThrow(/SPARK_REMOTE .*wanted/),
  );
});

describe("the days of a rescoring", () => {
  const now = 20_000 * DAY + 5;

  it("are whole, and end with the last midnight", () => {
    expect(wholeDays(undefined, undefined, now)).toEqual({ fromUs: 0, untilUs: 20_000 * DAY });
    const asked = wholeDays(19_000 * DAY + 7, 19_001 * DAY + 1, now);
    expect(asked).toEqual({ fromUs: 19_000 * DAY, untilUs: 19_002 * DAY });
  });

  it("are refused where the last is not over, or there is none", () => {
    expect(() => wholeDays(undefined, now, now)).toThrow(/not over: wanted 2024-10-04T00:00:00.000Z at the latest/);
    expect(() => wholeDays(20_000 * DAY, undefined, now)).toThrow(/no whole day/);
  });
});

describe("PostgreSQL's address for Spark's workers", () => {
  it("is taken apart, so that the password is an option of its own", () => {
    expect(jdbcOptions("postgres://me:p%40ss@db:5433/telltale?sslmode=require")).toEqual({
      url: "jdbc:postgresql://db:5433/telltale?sslmode=require",
      driver: "org.postgresql.Driver",
      user: "me",
      password: "p@ss",
    });
  });

  it("is refused where it is a socket's folder, which only this machine has", () => {
    expect(() => jdbcOptions("postgres://me@%2Fvar%2Frun:5432/telltale")).toThrow(/socket's folder/);
  });
});
