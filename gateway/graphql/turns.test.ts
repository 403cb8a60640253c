import { GraphQLError, parse } from "graphql";
import { expect, test } from "vitest";
import { turns } from "./turns.ts";

const LARGE = "{ sensorData(limit: 1000) { id value unit sensorId } }";
const SMALL = "{ sensorData(limit: 10) { id value } }";

type Answer = (value: string) => void;
interface Asked {
  readonly begun: string[];
  readonly answers: Map<string, Answer>;
  ask(name: string, query: string, authorization?: string, variables?: object): Promise<unknown>;
}

/** Operations as Mesh executes them: each begins when it is let, and ends when it is answered. */
function gateway(): Asked {
  const plugin = turns({ has: () => false }) as { onExecute(payload: object): void };
  const begun: string[] = [];
  const answers = new Map<string, Answer>();
  const ask = (name: string, query: string, authorization = "Bearer a", variables = {}) => {
    const args = { document: parse(query), variableValues: variables, contextValue: { headers: { authorization } } };
    let execute = (_: object): unknown => {
      begun.push(name);
      return new Promise((resolve) => answers.set(name, resolve));
    };
    let stopped: unknown;
    plugin.onExecute({
      args,
      executeFn: execute,
      setExecuteFn: (fn: typeof execute) => {
        execute = fn;
      },
      setResultAndStopExecution: (result: unknown) => {
        stopped = result;
      },
    });
    return Promise.resolve(stopped ?? execute(args));
  };
  return { begun, answers, ask };
}

test("large operations take turns between callers, and small ones wait for none", async () => {
  const { begun, answers, ask } = gateway();
  const all = ["a1", "a2", "a3"].map((name) => ask(name, LARGE));
  all.push(ask("b1", LARGE, "Bearer b"), ask("small", SMALL));
  await expect.poll(() => begun).toEqual(["small", "a1"]);
  answers.get("a1")!("first");
  expect(await all[0]).toBe("first");
  // Who has had nothing yet comes before who has had something.
  await expect.poll(() => begun.at(2)).toBe("b1");
});

test("more than a caller may have waiting is refused with the time to wait, and another caller is not", async () => {
  const { ask } = gateway();
  for (let i = 0; i < 21; i++) void ask("waits", LARGE);
  const refusal = await ask("too many", LARGE).catch((error: unknown) => error);
  expect(refusal).toMatchObject({ extensions: { code: "RATE_LIMITED", retryAfterMs: 1_000 } });
  expect(refusal).toBeInstanceOf(GraphQLError);
  const other = ask("other", LARGE, "Bearer b");
  expect(await Promise.race([other, Promise.resolve("waits")])).toBe("waits");
});

test.each([
  [
    "lists that a variable makes long",
    "query($l: Int) { sensors(limit: $l) { sensors { sensorId unit } } }",
    { l: 100_000 },
  ],
  [
    "buckets by the ten thousand",
    `query($b: Int!) { ${["a", "b"].map((name) => `${name}: aggregates(sensorId: "s", startTime: "2026-01-01", endTime: "2027-01-01", bucketSeconds: $b) { count avgValue minValue maxValue startTime }`).join(" ")} }`,
    { b: 60 },
  ],
])("%s are refused once the variables are known", async (_, query, variables) => {
  const { begun, ask } = gateway();
  const result = await ask("too large", query, "Bearer a", variables);
  expect(result).toMatchObject({ errors: [{ extensions: { code: "OPERATION_TOO_LARGE" } }] });
  expect(begun).toEqual([]);
});

test("a chart of a day by the hour is no large operation's neighbour", async () => {
  const { begun, ask } = gateway();
  const chart = `{ aggregates(sensorId: "s", startTime: "2026-01-01", endTime: "2026-01-02", bucketSeconds: 3600) { avgValue } }`;
  void ask("large", LARGE);
  void ask("chart", chart);
  await expect.poll(() => begun).toEqual(["chart", "large"]);
});

test("large documents are read in turns between callers, small and known ones at once", async () => {
  const known = `{ sensorData { id } } ${"#".repeat(2_000)}`;
  const plugin = turns({ has: (text) => text === known }) as { onParams(payload: object): Promise<void> };
  const read: string[] = [];
  const refused: unknown[] = [];
  const ask = (name: string, query: string, authorization = "Bearer a") => {
    const request = { headers: new Headers({ authorization }), signal: new AbortController().signal };
    const setResult = ({ errors }: { errors: unknown[] }) => refused.push(...errors);
    return plugin.onParams({ params: { query }, request, setResult }).then(() => read.push(name));
  };
  const large = (i: number) => `{ a${i}: sensorData { id } } ${"#".repeat(30_000)}`;
  const all = Array.from({ length: 21 }, (_, i) => ask(`a${i}`, large(i)));
  all.push(ask("b", large(99), "Bearer b"), ask("small", SMALL), ask("known", known));
  await expect.poll(() => read.slice(0, 3).sort()).toEqual(["a0", "known", "small"]);
  await expect.poll(() => read.indexOf("b")).toBe(3);
  await ask("too many", large(100));
  await ask("too many", large(101));
  expect(refused[0]).toMatchObject({ extensions: { code: "RATE_LIMITED" } });
});
