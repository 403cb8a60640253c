/**
 * Whatever comes in, decoders and parsers answer or refuse; they never fail in another way, hang or grow. A failure prints the
 * seed and the path that replay it. FUZZ_RUNS sets how many inputs each property tries.
 */

import http2 from "node:http2";
import { create } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readArguments } from "../../gateway/rest/read.ts";
import { routes } from "../../gateway/rest/routes.ts";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { type Reading, ReadingSchema } from "../../gen/es/telltale/v1/reading_pb.ts";
import { validate } from "../../server/api/validate.ts";
import { manualClock } from "../../server/clock.ts";
import { loadConfig } from "../../server/config.ts";
import { withoutPassword } from "../../server/environment.ts";
import { StartupError, TelltaleError } from "../../server/errors.ts";
import { Acceptor } from "../../server/ingest/accept.ts";
import { SeriesTable } from "../../server/ingest/series.ts";
import { quotedValue } from "../../server/lib/quoted.ts";
import { decodeRecord } from "../../server/log/record/decode.ts";
import { encodeRecord } from "../../server/log/record/encode.ts";
import { createHostCheck } from "../../server/security/hosts.ts";
import { idOf, newSecret } from "../../server/security/secret.ts";
import { type Listener, openListener } from "../../testing/rpc.ts";

const numRuns = Number(process.env.FUZZ_RUNS ?? 300);
const nowUs = 1_700_000_000_000_000;

/** Texts that parsers stumble over, beside those that fast-check thinks of. */
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 120 }),
  fc.constantFrom(
    "",
    "\0",
    "__proto__",
    "constructor",
    "NaN",
    "1e999",
    "-0",
    "9".repeat(40),
    "\ud800",
    "\u009b2J\u202ex\u2028\u007f",
    "é".repeat(50),
    "😀".repeat(50),
    "😀".repeat(200),
    "é".repeat(201),
    "' or 1=1 --",
  ),
);
const bytes = fc.uint8Array({ maxLength: 400 });

/** Readings that are right, nearly right, and wrong. */
const anyReading: fc.Arbitrary<Reading> = fc
  .record({
    sensorId: text,
    sensorType: fc.oneof(fc.constant("t"), text),
    unit: fc.oneof(fc.constant("u"), text),
    location: fc.option(text, { nil: undefined }),
    value: fc.option(fc.double(), { nil: undefined }),
    seconds: fc.option(fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }), { nil: undefined }),
    nanos: fc.integer({ min: -1, max: 1_000_000_000 }),
  })
  .map(({ seconds, nanos, location, value, ...rest }) =>
    create(ReadingSchema, {
      ...rest,
      ...(location !== undefined && { location }),
      ...(value !== undefined && { value }),
      ...(seconds !== undefined && { observedAt: { seconds, nanos } }),
    }),
  );

describe("random input", () => {
  it("in readings: each is stored or refused, and the hand-written rules agree with the contract's", () => {
    const acceptor = new Acceptor(new SeriesTable(4));
    const rules = { nowUs, maxAheadUs: 0, oldestUs: 0, mayWrite: () => true };
    fc.assert(
      fc.property(fc.array(anyReading, { maxLength: 20 }), (readings) => {
        const batch = { producer: "p", epoch: 1n, sequence: 1n, traceparent: "", readings, blocks: [], echo: false };
        const accepted = acceptor.accept(batch, rules);
        const stored = [...accepted.fragments.values()].reduce((sum, fragment) => sum + fragment.readings, 0);
        expect(stored + accepted.rejected).toBe(readings.length);
        const refused = new Set(accepted.refusals.map(({ index }) => index));
        readings.forEach((reading, index) => {
          // Times have more rules than the contract can state; the rest must agree to the letter.
          if (reading.observedAt !== undefined) return;
          expect([index, refused.has(index)]).toEqual([index, !keepsRules(reading)]);
        });
        const fields = [...accepted.fragments.values()].map((fragment) => fragment.bytes);
        expect(decodeRecord(encodeRecord(nowUs, fields)).readings).toBe(stored);
      }),
      { numRuns },
    );
  });

  it("in log records: a value, or the one error that says that it is none", () => {
    const decoded = (input: Uint8Array) => {
      try {
        return decodeRecord(input);
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
        return undefined;
      }
    };
    fc.assert(
      fc.property(bytes, (input) => void decoded(input)),
      { numRuns: 4 * numRuns },
    );
    // Good records with one byte changed or the end cut off reach deeper than noise.
    const acceptor = new Acceptor(new SeriesTable(1));
    const reading = create(ReadingSchema, { sensorId: "s", sensorType: "t", unit: "u", value: 1 });
    const batch = {
      producer: "p",
      epoch: 1n,
      sequence: 1n,
      traceparent: "",
      readings: [reading, reading],
      blocks: [],
      echo: true,
    };
    const accepted = acceptor.accept(batch, { nowUs, maxAheadUs: 0, oldestUs: 0, mayWrite: () => true });
    const good = encodeRecord(
      nowUs,
      [...accepted.fragments.values()].map((fragment) => fragment.bytes),
    );
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), fc.boolean(), (at, byte, cut) => {
        const changed = Uint8Array.from(good);
        changed[at] = byte;
        decoded(cut ? changed.slice(0, at) : changed);
      }),
      { numRuns: 4 * numRuns },
    );
  });

  it("in REST requests: arguments, or problems that each name a place", () => {
    const body = fc.oneof(
      fc.json().map((json) => Buffer.from(json)),
      fc.uint8Array({ maxLength: 200 }).map((each) => Buffer.from(each)),
    );
    const query = fc.dictionary(
      fc.constantFrom("sensor_id", "limit", "offset", "start_time", "resolved", "severity", "x"),
      text,
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...routes),
        query,
        body,
        text,
        fc.constantFrom("application/json", undefined, "text/plain"),
        (route, pairs, given, path, contentType) => {
          const names = [...route.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!);
          const read = readArguments(route, {
            path: Object.fromEntries(names.map((name) => [name, path])),
            query: new URLSearchParams(pairs),
            body: given,
            contentType,
            acceptTimestamp: false,
          });
          if ("problems" in read) {
            for (const { loc, type } of read.problems)
              expect([type, loc.length > 0]).toEqual([expect.any(String), true]);
          }
          expect(Object.hasOwn(Object.prototype, "admin")).toBe(false);
        },
      ),
      { numRuns },
    );
  });

  it("in the environment: a configuration, or a sentence that names a variable", () => {
    const names = fc.constantFrom(
      "PORT",
      "ROLE",
      "ALLOWED_HOSTS",
      "DATABASE_URL",
      "REDIS_URL",
      "KAFKA_BOOTSTRAP_SERVERS",
      "LOG_LEVEL",
      "BIND_ADDRESS",
      "AUTH",
      "ADMIN_TOKEN",
      "OIDC_JWKS_URL",
      "PARTITIONS",
      "MODEL_ACCURACY_THRESHOLD",
    );
    fc.assert(
      fc.property(fc.dictionary(names, text), (env) => {
        try {
          loadConfig(env);
        } catch (error) {
          expect(error).toBeInstanceOf(StartupError);
          expect((error as Error).message).toMatch(/[A-Z]{2,}/);
        }
      }),
      { numRuns },
    );
  });

  it("in an address: its password never shows", () => {
    const secret = fc.stringMatching(/^[A-Za-z0-9:/?#@!]{0,8}hunter2$/);
    fc.assert(
      fc.property(fc.constantFrom("postgres", "redis", "x"), secret, (scheme, password) => {
        expect(withoutPassword(`${scheme}://user:${password}@host/d`)).not.toContain("hunter2");
      }),
      { numRuns },
    );
  });

  it("in a value that is quoted to people: one short line", () => {
    fc.assert(
      fc.property(fc.oneof(text, fc.string({ maxLength: 5_000 }), fc.anything()), (value) => {
        const quoted = quotedValue(value);
        expect(quoted).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
        expect(quoted.length).toBeLessThan(600);
      }),
      { numRuns },
    );
  });

  it("in credentials and hosts: nothing random is taken for ours", () => {
    const check = createHostCheck(loadConfig({}).security, "127.0.0.1");
    const { id, secret } = newSecret();
    expect(idOf(secret)).toBe(id);
    fc.assert(
      fc.property(text, fc.nat(secret.length), (random, at) => {
        expect(idOf(random)).toBeUndefined();
        if (random !== "") expect(idOf(secret.slice(0, at) + random + secret.slice(at))).not.toBe(id.toUpperCase());
        if (!/^(127[.]|localhost|\[::1\])/i.test(random)) expect(check(random)).toBe(false);
      }),
      { numRuns },
    );
    expect(manualClock(5).nowUs()).toBe(5);
  });
});

describe("random bytes on the wire", () => {
  let listener: Listener;
  beforeAll(async () => {
    listener = await openListener({ limits: { requestTimeoutMs: 2_000 } });
  });
  afterAll(() => listener.close(0));

  it("in the bodies of calls get a code, and never an inner text", async () => {
    const session = http2.connect(listener.url);
    const paths = [
      "QueryService/ListReadings",
      "IngestService/SubmitReadings",
      "IngestService/StreamReadings",
      "WatchService/WatchAlerts",
    ];
    const types = [
      "application/grpc",
      "application/grpc-web",
      "application/connect+proto",
      "application/proto",
      "application/json",
      "application/grpc+json",
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...paths),
        fc.constantFrom(...types),
        bytes,
        fc.boolean(),
        async (path, type, body, framed) => {
          const head = Buffer.alloc(5);
          head.writeUInt32BE(body.length, 1);
          const sent = framed ? Buffer.concat([head, body]) : Buffer.from(body);
          const { httpStatus, all } = await call(session, `/telltale.v1.${path}`, type, sent);
          expect([200, 400, 404, 408, 415, 429, 500, 501]).toContain(httpStatus);
          expect(all).not.toMatch(/node_modules|\.ts:\d|at [A-Z]\w+\./);
        },
      ),
      { numRuns },
    );
    session.destroy();
    const { readings } = await createClient(QueryService, createGrpcTransport({ baseUrl: listener.url })).listReadings(
      {},
    );
    expect(readings).toHaveLength(1);
  });
});

function keepsRules(reading: Reading): boolean {
  try {
    validate(ReadingSchema, reading);
    return true;
  } catch (error) {
    if (error instanceof TelltaleError) return false;
    throw error;
  }
}

/** Status, and everything else that came back in one text. */
function call(session: http2.ClientHttp2Session, path: string, type: string, body: Buffer) {
  return new Promise<{ httpStatus: number; all: string }>((resolve, reject) => {
    const stream = session.request({ ":method": "POST", ":path": path, "content-type": type, te: "trailers" });
    let httpStatus = 0;
    let all = "";
    const note = (headers: object) => {
      all += JSON.stringify(headers);
    };
    stream.on("response", (headers) => {
      httpStatus = Number(headers[":status"]);
      note(headers);
    });
    stream.on("trailers", note);
    stream.setEncoding("latin1").on("data", (part) => {
      all += part;
    });
    stream.on("error", reject);
    stream.on("close", () => resolve({ httpStatus, all }));
    stream.end(body);
  });
}
