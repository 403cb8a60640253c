import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { Credentials } from "./credentials.ts";
import { UpstreamError } from "./errors.ts";

const LIST = "QueryService.ListReadings";
const HEALTH = "QueryService.GetPlatformHealth";

/** Twenty calls of a request; answers with how many were made at once, how many in all, and what came of each. */
async function ask(credentials: Credentials, make: () => Promise<string>, o: { token?: string; rpc?: string } = {}) {
  const request = {};
  let made = 0;
  const calls = Array.from({ length: 20 }, () =>
    credentials.call(o.rpc ?? LIST, request, { headers: { authorization: o.token } }, () => {
      made++;
      return make();
    }),
  );
  const atOnce = made;
  const results = await Promise.allSettled(calls);
  return { atOnce, made, results: [...new Set(results.map((r) => (r.status === "rejected" ? r.reason : r.value)))] };
}

const fails = (code: Code) => async () => {
  throw new UpstreamError(code, "no");
};

test("a request whose credential is refused makes one call, and each of its fields is told", async () => {
  const { made, results } = await ask(new Credentials(), fails(Code.Unauthenticated));
  expect(made).toBe(1);
  expect(results).toEqual([expect.objectContaining({ code: Code.Unauthenticated })]);
});

test("one that is accepted goes side by side from then on, and is asked about again when it is refused", async () => {
  const credentials = new Credentials();
  expect(await ask(credentials, async () => "ok", { token: "t" })).toEqual({ atOnce: 1, made: 20, results: ["ok"] });
  expect(await ask(credentials, async () => "ok", { token: "t" })).toMatchObject({ atOnce: 20, made: 20 });
  expect(await ask(credentials, fails(Code.Unauthenticated), { token: "t" })).toMatchObject({ made: 20 });
  expect(await ask(credentials, fails(Code.Unauthenticated), { token: "t" })).toMatchObject({ made: 1 });
  expect(await ask(credentials, fails(Code.Unauthenticated), { token: "other" })).toMatchObject({ made: 1 });
});

test("another failure of the first call keeps nobody back", async () => {
  expect(await ask(new Credentials(), fails(Code.Unavailable))).toMatchObject({ atOnce: 1, made: 20 });
});

test("what anybody may call says nothing of a credential", async () => {
  const credentials = new Credentials();
  expect(await ask(credentials, async () => "ok", { rpc: HEALTH })).toMatchObject({ atOnce: 20 });
  expect(await ask(credentials, fails(Code.Unauthenticated))).toMatchObject({ made: 1 });
});
