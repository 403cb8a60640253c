/** What the OpenAPI document says of ingest paths, against the handlers: neither has a path, a type or an answer that the other lacks. */
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, beforeAll, expect, it } from "vitest";
import { INGEST_DOCUMENT_PATH } from "../../gateway/rest/openapi-ingest.ts";
import { httpProtocols } from "../../server/ingest/protocols/http.ts";
import { type ProtocolApp, startProtocolApp } from "../../testing/protocol-app.ts";
import { snappyCompress } from "../../testing/remote-write.ts";

interface Answer {
  readonly headers?: Readonly<Record<string, object>>;
  readonly content?: Readonly<Record<string, { readonly schema?: object }>>;
}

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  /** Absent: what is asked before anything is sent. */
  readonly requestBody?: { readonly content: Readonly<Record<string, object>> };
  readonly responses: Readonly<Record<string, Answer>>;
  readonly security: readonly Readonly<Record<string, unknown>>[];
}

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly securitySchemes: Readonly<Record<string, object>> };
}

let app: ProtocolApp;
let document: OpenApi;
beforeAll(async () => {
  app = await startProtocolApp();
  document = (await (await fetch(`${app.http}${INGEST_DOCUMENT_PATH}`)).json()) as OpenApi;
});
afterAll(() => app?.stop());

const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );

/** Those by which readings come in. */
const ingesting = () => operations().filter(({ operation }) => operation.requestBody !== undefined);

const ajv = new Ajv2020({ strict: false });

/** Sends a body, and holds the answer to what the document says. */
async function send(
  { path, method, operation }: ReturnType<typeof operations>[number],
  body: Uint8Array<ArrayBuffer> | string,
  headers: Record<string, string>,
  query = "",
): Promise<number> {
  const response = await fetch(`${app.http}${path}${query}`, { method, body, headers });
  const text = await response.text();
  const answer = operation.responses[response.status];
  expect(answer, `${method} ${path} ${response.status} ${text}`).toBeDefined();
  const type = response.headers.get("content-type")?.split(";")[0] ?? "";
  expect(text === "" ? [""] : Object.keys(answer!.content ?? {}), `${path} ${response.status}`).toContain(
    text === "" ? "" : type,
  );
  const schema = answer!.content?.[type]?.schema;
  if (type === "application/json" && schema !== undefined)
    expect(ajv.validate(schema, JSON.parse(text)), text).toBe(true);
  return response.status;
}

it("lists the paths and methods that there are handlers for, and no other", () => {
  const handlers = httpProtocols().map(({ method, path }) => `${method} ${path}`);
  expect(operations().map(({ method, path }) => `${method} ${path}`)).toEqual(handlers);
  expect(new Set(operations().map(({ operation }) => operation.operationId)).size).toBe(handlers.length);
});

it("names credentials that the document defines, and a request without any is refused as it says", async () => {
  for (const each of ingesting()) {
    for (const name of each.operation.security.flatMap(Object.keys))
      expect(document.components.securitySchemes).toHaveProperty(name);
    expect(await send(each, "x", { "content-type": "text/plain" })).toBe(401);
  }
});

it("names the content types that are taken, and no other is", async () => {
  for (const each of ingesting()) {
    const { operation } = each;
    const encoding = operation.parameters?.find(({ name }) => name === "Content-Encoding");
    const headers = {
      ...app.bearer,
      ...(JSON.stringify(encoding).includes("snappy") ? { "content-encoding": "snappy" } : {}),
    };
    const types = Object.keys(operation.requestBody!.content);
    for (const type of types) {
      const status = await send(each, "{", { ...headers, "content-type": type === "*/*" ? "application/zip" : type });
      expect([each.path, type, status]).not.toEqual([each.path, type, 415]);
    }
    if (!types.includes("*/*")) expect(await send(each, "{", { ...headers, "content-type": "image/png" })).toBe(415);
    expect(await send(each, "{", { ...headers, "content-type": types[0]!, "content-encoding": "compress" })).toBe(415);
  }
});

it("names the parameters that are taken, and no other is", async () => {
  const of = (path: string) => operations().find((each) => each.path === path)!;
  const bulk = of("/api/v1/sensors/data/bulk");
  const headers = { ...app.bearer, "content-type": "text/csv" };
  for (const { name } of bulk.operation.parameters!.filter((each) => each.in === "query")) {
    const response = await fetch(`${app.http}${bulk.path}?${name}=`, { method: "POST", body: "x", headers });
    expect([name, await response.text()]).not.toEqual([name, expect.stringContaining("no parameter")]);
  }
  const unknown = await fetch(`${app.http}${bulk.path}?unknown=1`, { method: "POST", body: "x", headers });
  expect(await unknown.text()).toContain("no parameter");
  expect(
    await send(of("/api/v2/write"), "a v=1", { ...app.bearer, "content-type": "text/plain" }, "?precision=d"),
  ).toBe(400);
});

it("says of a probe that it needs no credential and has one answer, with the headers that it has", async () => {
  const probes = operations().filter(({ operation }) => operation.requestBody === undefined);
  expect(probes.map(({ method, path }) => `${method} ${path}`)).toEqual(["GET /ping"]);
  for (const { path, operation } of probes) {
    expect([operation.security, Object.keys(operation.responses)]).toEqual([[{}], ["204"]]);
    const { status, headers } = await fetch(`${app.http}${path}`);
    expect(status).toBe(204);
    for (const name of Object.keys(operation.responses[204]!.headers!)) expect(headers.has(name)).toBe(true);
  }
});

it("says how success is answered", async () => {
  const bodies: Record<string, readonly [type: string, body: Uint8Array<ArrayBuffer> | string, status: number]> = {
    "/api/v1/write": ["application/x-protobuf", snappyCompress(Buffer.alloc(0)), 204],
    "/v1/metrics": ["application/json", "{}", 200],
    "/api/v2/write": ["text/plain", "openapi v=1", 204],
    "/write": ["text/plain", "openapi v=2", 204],
    "/api/v1/sensors/data/bulk": ["text/csv", "sensor_id,time,value\na,2026-01-05T00:00:00Z,1\n", 200],
  };
  for (const each of ingesting()) {
    const [type, body, status] = bodies[each.path]!;
    const encoding = each.path === "/api/v1/write" ? { "content-encoding": "snappy" } : {};
    expect([each.path, await send(each, body, { ...app.bearer, ...encoding, "content-type": type })]).toEqual([
      each.path,
      status,
    ]);
  }
  const bulk = operations().find(({ path }) => path.endsWith("/bulk"))!;
  const csv = { ...app.bearer, "content-type": "text/csv" };
  expect(await send(bulk, "sensor_id,time,value\na,2026-01-05T00:01:00Z,1\n", csv, "?dry_run=true")).toBe(200);
  expect(await send(bulk, "time,value\n1,2\n", csv)).toBe(422);
});
