import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { getIntrospectionQuery, parse } from "graphql";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { threadMillisecondsOf } from "../../testing/thread-time.ts";
import {
  INTROSPECTION_LISTS,
  LISTS,
  limitsError,
  MAX_COST,
  MAX_FRAGMENTS,
  MAX_OPERATIONS,
  MAX_ROOT_FIELDS,
} from "./limits.ts";
import { graphqlFacade } from "./names.ts";
import { graphqlRuntime } from "./runtime.ts";

const live = { ending: new AbortController().signal, requests: new WeakSet<Request>() };
const codeOf = (text: string) => limitsError(parse(text))?.extensions.code;
const repeated = (count: number, of: (i: number) => string) => Array.from({ length: count }, (_, i) => of(i)).join(" ");

/** Fragments of `levels` levels that each spread the next `times` times. */
function bomb({ levels, times, type = "SensorDataType", leaf = "id" }: BombOptions): string {
  return `${repeated(levels, (i) => `fragment f${i} on ${type} { ${repeated(times, () => `...f${i + 1}`)} }`)} fragment f${levels} on ${type} { ${leaf} }`;
}
interface BombOptions {
  readonly levels: number;
  readonly times: number;
  readonly type?: string;
  readonly leaf?: string;
}

describe("an operation's size", () => {
  it.each([
    ["at the roots", `{ ...f0 } ${bomb({ levels: 40, times: 3, type: "Query", leaf: "sensorData { id }" })}`],
    [
      "at the roots, of nothing but a name",
      `{ ...f0 } ${bomb({ levels: 40, times: 3, type: "Query", leaf: "__typename" })}`,
    ],
    ["below a field", `{ sensorData(limit: 1) { ...f0 } } ${bomb({ levels: 40, times: 3 })}`],
    ["below an empty list", `{ sensorData(limit: 0) { ...f0 } } ${bomb({ levels: 40, times: 3 })}`],
    [
      "within introspection",
      `{ __schema { ...f0 } } ${bomb({ levels: 40, times: 3, type: "__Schema", leaf: "__typename" })}`,
    ],
    [
      "in inline fragments",
      `{ sensorData(limit: 1) { ... on SensorDataType { ...f0 } } } ${bomb({ levels: 40, times: 3 })}`,
    ],
    [
      "in the second operation",
      `query a { __typename } query b { ...f0 } ${bomb({ levels: 40, times: 3, type: "Query", leaf: "__typename" })}`,
    ],
  ])("is known in linear time where fragments spread fragments %s", (_, text) => {
    const document = parse(text);
    let error: ReturnType<typeof limitsError>;
    const ms = threadMillisecondsOf(() => {
      error = limitsError(document);
    });
    expect(error?.extensions.code).toBe("OPERATION_TOO_LARGE");
    // 3^40 spreads would take longer than the universe is old.
    expect(ms).toBeLessThan(500);
  });

  it("counts every list of the schema by the length that it has without a limit", () => {
    const limits = graphqlFacade.rows.flatMap(({ name, args }) => {
      const limit = (args as { readonly limit?: string | null } | undefined)?.limit;
      return typeof limit === "string" ? [[name, Number(/\d+$/.exec(limit)?.[0])] as const] : [];
    });
    expect(limits.length).toBeGreaterThan(10);
    for (const [name, limit] of limits) expect([name, LISTS.get(name)]).toEqual([name, limit]);
  });

  it("counts a list of 100,000 sensors as one", () => {
    expect(codeOf("{ sensors(limit: 100000) { sensors { sensorId unit } } }")).toBe("OPERATION_TOO_LARGE");
    expect(codeOf("{ sensors(limit: 10000) { sensors { sensorId unit } } }")).toBeUndefined();
  });

  it("counts a chart by its sensors and columns", () => {
    const chart = (sensors: number, columns: number, fields: number) =>
      `{ series(sensorIds: [${repeated(sensors, () => '"s"')}], columns: ${columns}) { ${repeated(fields, (i) => `a${i}: completing`)} } }`;
    expect(codeOf(chart(20, 2000, 24))).toBeUndefined();
    expect(codeOf(chart(20, 2000, 25))).toBe("OPERATION_TOO_LARGE");
    expect(codeOf(chart(1, 2000, 400))).toBeUndefined();
    expect(codeOf("{ anomalyHeatmap(columns: 500, top: 200) { a: completing } }")).toBeUndefined();
  });

  it("counts what a fragment stands for wherever it is spread", () => {
    const text = (spreads: number) =>
      `{ ${repeated(spreads, (i) => `a${i}: sensorData(limit: 1000) { ...f }`)} } fragment f on SensorDataType { id value unit timestamp }`;
    expect(codeOf(text(Math.floor(MAX_COST / 5_000)))).toBeUndefined();
    expect(codeOf(text(Math.floor(MAX_COST / 5_000) + 1))).toBe("OPERATION_TOO_LARGE");
  });

  it("counts root fields through fragments, aliased or repeated", () => {
    const roots = (count: number) => repeated(count, () => "sensorStats(sensorId: 1) { totalReadings }");
    expect(codeOf(`{ ${roots(MAX_ROOT_FIELDS)} }`)).toBeUndefined();
    expect(codeOf(`{ ${roots(MAX_ROOT_FIELDS + 1)} }`)).toBe("OPERATION_TOO_LARGE");
    expect(codeOf(`{ ...f ...f } fragment f on Query { ${roots(11)} }`)).toBe("OPERATION_TOO_LARGE");
  });

  it("is refused where a fragment contains itself, directly or not, used or not", () => {
    expect(codeOf("{ ...f } fragment f on Query { ...f }")).toBe("GRAPHQL_VALIDATION_FAILED");
    expect(codeOf("{ ...f } fragment f on Query { ...g } fragment g on Query { a: sensorData { id } ...f }")).toBe(
      "GRAPHQL_VALIDATION_FAILED",
    );
    expect(codeOf("{ __typename } fragment f on Query { ...f }")).toBe("GRAPHQL_VALIDATION_FAILED");
  });

  it("has bounds on definitions, of which only one is executed", () => {
    expect(
      codeOf(`{ __typename } ${repeated(MAX_FRAGMENTS + 1, (i) => `fragment f${i} on Query { __typename }`)}`),
    ).toBe("OPERATION_TOO_LARGE");
    expect(codeOf(repeated(MAX_OPERATIONS + 1, (i) => `query q${i} { __typename }`))).toBe("OPERATION_TOO_LARGE");
  });

  it("lets the introspection of clients and editors through, twice, and not what multiplies it", () => {
    expect(codeOf(getIntrospectionQuery({ inputValueDeprecation: true, descriptions: true }))).toBeUndefined();
    const aliased = (count: number) => `{ ${repeated(count, (i) => `a${i}: __schema { types { fields { name } } }`)} }`;
    expect(codeOf(aliased(20))).toBeUndefined();
    expect(codeOf(aliased(100))).toBe("OPERATION_TOO_LARGE");
    const inside = repeated(60, (i) => `a${i}: fields { type { fields { name } } }`);
    expect(codeOf(`{ __schema { types { ${inside} } } }`)).toBe("OPERATION_TOO_LARGE");
  });
});

describe("the schema that is served", () => {
  it("has introspection lists no longer than they are counted", async () => {
    const runtime = graphqlRuntime("127.0.0.1:1", pino({ level: "silent" }), live);
    const schema = await runtime.getSchema();
    const types = Object.values(schema.getTypeMap());
    const fields = types.flatMap((type) => ("getFields" in type ? [Object.keys(type.getFields()).length] : []));
    const mean = (numbers: readonly number[]) => numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
    expect(types.length).toBeLessThanOrEqual(INTROSPECTION_LISTS.get("types")!);
    expect(mean(fields)).toBeLessThanOrEqual(INTROSPECTION_LISTS.get("fields")!);
    expect(schema.getDirectives().length).toBeLessThanOrEqual(INTROSPECTION_LISTS.get("directives")!);
    expect(mean(schema.getDirectives().map(({ locations }) => locations.length))).toBeLessThanOrEqual(
      INTROSPECTION_LISTS.get("locations")!,
    );
    await runtime[Symbol.asyncDispose]();
  });
});

describe("memory for documents", () => {
  it("keeps a valid one, which is parsed and validated once", async () => {
    const runtime = graphqlRuntime("127.0.0.1:1", pino({ level: "silent" }), live);
    const schema = await runtime.getSchema();
    const ask = () => {
      const { parse: read, validate } = runtime.getEnveloped({}) as unknown as Engine;
      const document = read("{ sensorData(limit: 1) { id } }");
      expect(validate(schema, document)).toEqual([]);
      return document;
    };
    expect(ask()).toBe(ask());
    await runtime[Symbol.asyncDispose]();
  });

  it("does not grow with what strangers send", async () => {
    const runtime = graphqlRuntime("127.0.0.1:1", pino({ level: "silent" }), live);
    await runtime.getSchema();
    const seen: WeakRef<object>[] = [];
    const ask = async (query: string) => {
      const { parse: read, validate } = runtime.getEnveloped({}) as unknown as Engine;
      const document = read(query);
      validate(await runtime.getSchema(), document);
      seen.push(new WeakRef(document));
    };
    // Of the largest that are kept at all.
    const padding = `# ${"x".repeat(3_800)}`;
    for (let i = 0; i < 300; i++) await ask(`{ a${i}: sensorData { id } } ${padding}`);
    for (let i = 0; i < 300; i++) await ask(`{ a${i}: sensorData { nothing } } ${padding}`);
    const alive = await leastAlive(seen);
    // Valid ones of 400,000 bytes are kept, which are some ninety; the last of all may still be held by the engine.
    expect(alive).toBeLessThanOrEqual(110);
    await runtime[Symbol.asyncDispose]();
  });
});

interface Engine {
  parse(text: string): object;
  validate(schema: unknown, document: object): unknown;
}

/** How many are alive once garbage is collected, which may take some rounds: what was parsed last is still in somebody's hands. */
async function leastAlive(seen: readonly WeakRef<object>[]): Promise<number> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  let alive = seen.length;
  for (let round = 0; round < 10 && alive > 110; round++) {
    // References that were looked at live until the end of the turn.
    await new Promise((resolve) => setTimeout(resolve, 20));
    collect();
    alive = seen.filter((each) => each.deref() !== undefined).length;
  }
  return alive;
}
