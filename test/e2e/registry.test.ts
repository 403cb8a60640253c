/** Sensors as people know them, by REST, GraphQL and the command line. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCli } from "../../testing/cli.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";

let platform: Platform;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "telltale-registry-"));
  platform = await startPlatform();
  for (const id of ["line/1", "pump", "data"]) {
    const sent = { sensor_id: id, sensor_type: "flow", value: 1, unit: "l" };
    expect((await rest("POST", "/data", sent)).status).toBe(200);
  }
}, 120_000);
afterAll(async () => {
  await platform?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function rest(method: string, path: string, body?: unknown) {
  const response = await fetch(`${platform.http}/api/v1/sensors${path}`, {
    method,
    ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json(), link: response.headers.get("link") };
}

async function graphql(query: string, variables: object = {}) {
  const response = await fetch(`${platform.http}/api/v1/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  return (await response.json()) as { data: never; errors?: { message: string; extensions: { code: string } }[] };
}

describe("by REST", () => {
  test("a sensor is read, changed field by field and replaced as a whole", async () => {
    expect((await rest("GET", "/line%2F1")).body).toMatchObject({
      ...{ sensor_id: "line/1", state: "ok", worst_severity: "unspecified", revision: 0, updated_at: null },
      series: [{ sensor_type: "flow", unit: "l", location: null, total_readings: 1 }],
    });
    const patched = await rest("PATCH", "/line%2F1", { owner: "Ann", tags: ["b", "a"], attributes: { room: "7" } });
    expect(patched).toMatchObject({
      status: 200,
      body: {
        owner: "Ann",
        tags: ["a", "b"],
        attributes: { room: "7" },
        edited_attributes: { room: "7" },
        revision: 1,
      },
    });
    expect((await rest("PATCH", "/line%2F1", { owner: "", revision: 1 })).body).toMatchObject({
      ...{ owner: "", tags: ["a", "b"], revision: 2 },
    });
    expect((await rest("PUT", "/line%2F1", { display_name: "Line 1" })).body).toMatchObject({
      ...{ display_name: "Line 1", tags: [], attributes: {}, revision: 3 },
    });
    expect(await rest("PATCH", "/line%2F1", { owner: "Bob", revision: 1 })).toMatchObject({
      status: 409,
      body: { detail: expect.stringMatching(/at revision 3, not 1/) },
    });
  });

  test("wrong fields are named, and what is not there is not found", async () => {
    const wrong = await rest("PATCH", "/pump", { tags: "hot", attributes: { a: 1 }, owner: 5 });
    expect(wrong.status).toBe(422);
    expect(wrong.body.detail.map((each: { loc: string[]; type: string }) => [each.loc.join("."), each.type])).toEqual([
      ["body.owner", "string_type"],
      ["body.tags", "list_type"],
      ["body.attributes", "string_type"],
    ]);
    const asset = await rest("PUT", "/pump", { asset: "a//b" });
    expect(asset.body.detail).toMatchObject([{ loc: ["body", "asset"], input: "a//b" }]);
    const list = await rest("GET", "?sort=size&matchers=a%3D~(");
    expect(list.body.detail).toMatchObject([{ type: "enum", loc: ["query", "sort"], input: "size" }]);
    const matcher = await rest("GET", "?matchers=a%3D1&matchers=a%3D~(");
    expect(matcher.body.detail).toMatchObject([{ loc: ["query", "matchers"], msg: expect.stringMatching(/a=~"\("/) }]);
    expect(await rest("GET", "/nobody")).toMatchObject({ status: 404, body: { detail: "Sensor not found" } });
  });

  test("lists are searched, matched, sorted and go on by their links", async () => {
    await rest("PATCH", "/pump", { owner: "Ann" });
    const ids = ({ body }: { body: { sensors: { sensor_id: string }[] } }) => body.sensors.map((s) => s.sensor_id);
    expect(ids(await rest("GET", "?matchers=owner%3DAnn&matchers=sensor_type%3D~fl.*"))).toEqual(["pump"]);
    expect(ids(await rest("GET", "?search=LINE"))).toEqual(["line/1"]);
    const seen: string[] = [];
    let path = "?matchers=unit%3Dl&matchers=owner!%3Dx&limit=1&sort=name&descending=true&with_counts=true";
    for (;;) {
      const page = await rest("GET", path);
      expect(page.body.counts).toEqual({ total: 3, alerting: 0, stale: 0, ok: 3, retired: 0 });
      seen.push(...ids(page));
      if (page.link === null) break;
      path = /\/sensors(\?[^>]*)>/.exec(page.link)![1]!;
    }
    expect(seen).toEqual(["pump", "line/1", "data"]);
  });

  test("paths that were there before keep their answers, also for sensors of those names", async () => {
    expect((await rest("GET", "/data?sensor_id=pump")).body).toMatchObject([{ sensor_id: "pump", value: 1 }]);
    expect((await rest("GET", "/alerts")).body).toEqual([]);
    expect((await rest("GET", "/data/pump/latest")).body).toMatchObject({ sensor_id: "pump" });
    expect(await rest("PUT", "/data", {})).toMatchObject({ status: 405, body: { detail: "Method Not Allowed" } });
    expect((await rest("DELETE", "")).status).toBe(405);
    const status = await fetch(`${platform.http}/api/v1/monitoring/sensors/status`);
    expect(await status.json()).toMatchObject({ total_count: 3 });
  });

  test("the document has the paths with their errors", async () => {
    const document = (await (await fetch(`${platform.http}/openapi.json`)).json()) as {
      paths: Record<string, Record<string, { responses: Record<string, { description: string }> }>>;
    };
    const path = document.paths["/api/v1/sensors/{sensor_id}"]!;
    expect(Object.keys(path)).toEqual(["get", "put", "patch", "delete"]);
    expect(path.delete!.responses["409"]!.description).toMatch(/while_sending/);
    for (const act of ["retire", "restore"])
      expect(document.paths[`/api/v1/sensors/{sensor_id}/${act}`]).toHaveProperty("post");
    expect(path.patch!.responses["409"]!.description).toMatch(/revision/);
    expect(document.paths["/api/v1/sensors"]).toHaveProperty("get");
  });
});

describe("by GraphQL", () => {
  test("sensors are shown, listed with counts, changed one by one and many at once", async () => {
    const changed = await graphql(
      `mutation ($attributes: JSON) { updateSensor(sensorId: "pump", displayName: "Pump", asset: "site/a", tags: ["x"], attributes: $attributes)
        { displayName asset tags attributes revision owner } }`,
      { attributes: { room: "9" } },
    );
    expect(changed.data).toMatchObject({
      updateSensor: { displayName: "Pump", asset: "site/a", tags: ["x"], attributes: { room: "9" }, owner: "Ann" },
    });
    const asked = await graphql(`{
      sensor(sensorId: "pump") { displayName state series { unit } }
      missing: sensor(sensorId: "nobody") { state }
      registeredSensors(matchers: ["tag=x"], sort: "name", withCounts: true) { sensors { sensorId } counts { total } nextPageToken }
      assetTree { nodes { path counts { total } } withoutAsset { total } }
    }`);
    expect(asked.data).toEqual({
      sensor: { displayName: "Pump", state: "ok", series: [{ unit: "l" }] },
      missing: null,
      registeredSensors: { sensors: [{ sensorId: "pump" }], counts: { total: 1 }, nextPageToken: "" },
      assetTree: {
        nodes: [
          { path: "", counts: { total: 3 } },
          { path: "site", counts: { total: 1 } },
          { path: "site/a", counts: { total: 1 } },
        ],
        withoutAsset: { total: 2 },
      },
    });
    const applied =
      await graphql(`mutation { applySensors(dryRun: true, changes: [{ profile: { sensorId: "pump", displayName: "P" } }])
      { changed differences { sensorId kind fields { field from to } } } }`);
    expect(applied.data).toMatchObject({
      applySensors: {
        changed: 1,
        differences: [{ kind: "changed", fields: [{ field: "display_name", from: "Pump", to: "P" }] }],
      },
    });
  });

  test("wrong arguments are named", async () => {
    const message = async (query: string) => (await graphql(query)).errors?.[0];
    expect(await message(`{ registeredSensors(matchers: ["a"]) { nextPageToken } }`)).toMatchObject({
      message: expect.stringMatching(/the matcher a has no =, !=, =~ or !~/),
      extensions: { code: "BAD_USER_INPUT" },
    });
    expect(
      await message(`mutation { updateSensor(sensorId: "pump", runbookUrl: "ftp://x") { revision } }`),
    ).toMatchObject({
      message: expect.stringMatching(/^runbookUrl: is "ftp:\/\/x": give an address/),
    });
    expect(
      await message(`mutation { updateSensor(sensorId: "pump", revision: 99, owner: "x") { revision } }`),
    ).toMatchObject({
      extensions: { code: "CONFLICT" },
    });
  });
});

describe("by the command line", () => {
  const cli = async (...args: string[]) => {
    const run = runCli("sensor", ...args, "--url", platform.grpc);
    const code = await run.ended;
    return { code, stdout: run.stdout(), stderr: run.stderr() };
  };
  const file = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };

  test("a sensor is changed, shown and found", async () => {
    const set = await cli("set", "cli-1", "--name", "First", "--tag", "a", "b", "--attribute", "room=1", "floor=2");
    expect([set.code, set.stderr]).toEqual([0, ""]);
    await cli("set", "cli-1", "--owner", "Ann", "--remove-attribute", "floor", "--attribute", "hall=3");
    const { stdout } = await cli("show", "cli-1");
    expect(stdout).toMatch(/^cli-1 {2}stale {2}no reading {2}First\n/);
    for (const line of [
      "owner: Ann",
      "tags: a, b",
      "attribute room: 1 (edited)",
      "attribute hall: 3 (edited)",
      "revision 2, ",
    ])
      expect(stdout).toContain(line);
    expect(stdout).not.toContain("floor");
    const list = await cli("list", "--match", 'owner="Ann"', "state=stale", "--sort", "name", "--desc");
    expect([list.stdout, list.stderr]).toEqual([
      "cli-1  stale  no reading  First\n",
      "1 sensor: 0 alerting, 1 stale, 0 ok\n",
    ]);
    expect((await cli("list", "--match", "owner=~(")).stderr).toMatch(
      /the matcher owner=~"\(" is no regular expression/,
    );
  });

  test("a file is tried and applied, and what was exported applies without a difference", async () => {
    const path = file(
      "sensors.yaml",
      "sensors:\n  - sensor_id: cli-1\n    owner: Bob\n    tags: [a, c]\n  - sensor_id: cli-2\n    attributes:\n      room: 007\n",
    );
    const wanted =
      "~ cli-1\n-   owner: Ann\n+   owner: Bob\n-   tags: a, b\n+   tags: a, c\n+ cli-2 (new)\n+   attributes.room: 007\n";
    expect(await cli("apply", path, "--dry-run")).toEqual({
      code: 0,
      stdout: wanted,
      stderr: "1 new, 1 changed, 0 unchanged; this was a dry run: nothing was changed\n",
    });
    expect((await cli("apply", path)).stdout).toBe(wanted);
    for (const [format, name] of [
      ["yaml", "out.yaml"],
      ["csv", "out.csv"],
    ] as const) {
      const exported = await cli("export", "--format", format, "--search", "cli-");
      const out = file(name, exported.stdout);
      expect(await cli("apply", out)).toMatchObject({ code: 0, stdout: "", stderr: "0 new, 0 changed, 2 unchanged\n" });
    }
    expect(readFileSync(join(folder, "out.csv"), "utf8").split("\n")[0]).toBe(
      "sensor_id,display_name,description,owner,runbook_url,asset,tags,attributes.hall,attributes.room",
    );
    const cleared = file("clear.csv", "sensor_id,tags,owner\ncli-1,,=1+1\n");
    expect((await cli("apply", cleared)).stdout).toBe("~ cli-1\n-   owner: Bob\n+   owner: =1+1\n-   tags: a, c\n");
  });

  test.each([
    [
      "bad.yaml",
      "- sensor_id: x\n  onwer: Ann\n",
      /bad\.yaml, line 2: "onwer" is no field of a sensor; did you mean owner\?/,
    ],
    ["list.yaml", "sensors:\n  - sensor_id: x\n    tags: hot\n", /list\.yaml, line 3: tags is no list/],
    ["syntax.yaml", "- sensor_id: [x\n", /syntax\.yaml, line 2: /],
    ["id.yaml", "- owner: x\n", /id\.yaml, line 1: sensor_id is missing/],
    [
      "twice.yaml",
      "- sensor_id: x\n- sensor_id: x\n",
      /twice\.yaml, line 2: sensor_id is "x", which line 1 changes already/,
    ],
    [
      "asset.yaml",
      "- sensor_id: x\n  asset: a//b\n",
      /asset\.yaml, line 2: asset is "a\/\/b": give names[\s\S]*Nothing was changed/,
    ],
    ["column.csv", "sensor_id,onwer\nx,y\n", /column\.csv, line 1, column 2: "onwer" is no field of a sensor/],
    ["row.csv", "sensor_id,owner\nx,y\n,z\n", /row\.csv, line 3: sensor_id is missing/],
    ["long.csv", `sensor_id,runbook_url\nx,\ny,gopher://x\n`, /long\.csv, line 3: runbook_url is "gopher:\/\/x"/],
  ])("%s is refused with the line and the field", async (name, text, message) => {
    const run = await cli("apply", file(name, text));
    expect([run.code, run.stdout]).toEqual([1, ""]);
    expect(run.stderr).toMatch(message);
  });
});

describe("the life cycle of a sensor", () => {
  const send = (id: string) => rest("POST", "/data", { sensor_id: id, sensor_type: "flow", value: 1, unit: "l" });

  test("by REST: retired, restored, and deleted once it is allowed though it sends", async () => {
    await send("rest/1");
    const retired = await rest("POST", "/rest%2F1/retire");
    expect(retired).toMatchObject({
      status: 200,
      body: { sensor_id: "rest/1", state: "retired", retired_by: "anonymous" },
    });
    expect((await rest("GET", "?matchers=state%3Dretired&with_counts=true")).body).toMatchObject({
      ...{ sensors: [{ sensor_id: "rest/1" }], counts: { total: 0, retired: 1 } },
    });
    expect((await rest("POST", "/rest%2F1/restore")).body).toMatchObject({ state: "ok", retired_at: null });
    expect(await rest("POST", "/nobody/retire")).toMatchObject({ status: 404, body: { detail: "Sensor not found" } });
    expect((await rest("POST", "/rest%2F1/retire?why=x")).status).toBe(422);
    for (const [method, path] of [["POST", "/retire"] as const, ["POST", "/restore"] as const, ["DELETE", ""] as const])
      expect(await rest(method, `/rest%2F1${path}`, { why: "x" })).toMatchObject({
        status: 422,
        body: { detail: [{ type: "extra_forbidden", loc: ["body", "why"] }] },
      });
    expect((await rest("POST", "/rest%2F1/restore", {})).status).toBe(200);
    const sending = await rest("DELETE", "/rest%2F1");
    expect(sending.status).toBe(409);
    expect(JSON.stringify(sending.body)).toContain("set while_sending");
    expect((await rest("DELETE", "/rest%2F1?while_sending=true&dry_run=true")).body).toMatchObject({
      readings: 1,
      deleted_at: null,
    });
    expect(await rest("DELETE", "/rest%2F1?while_sending=true")).toMatchObject({
      ...{ status: 200, body: { sensor_id: "rest/1", readings: 1, alerts: 0, deleted_by: "anonymous" } },
    });
    expect((await rest("GET", "/rest%2F1")).status).toBe(404);
    expect((await rest("DELETE", "/rest%2F1")).status).toBe(404);
    const deletions = await fetch(`${platform.http}/api/v1/sensor-deletions?limit=1`);
    expect(await deletions.json()).toMatchObject({ deletions: [{ sensor_id: "rest/1" }] });
  });

  test("by GraphQL: several at once", async () => {
    for (const id of ["graph-1", "graph-2"]) await send(id);
    const { data } = await graphql(`mutation {
      retireSensors(sensorIds: ["graph-1", "graph-2"]) { sensorId state }
      restoreSensors(sensorIds: ["graph-2"]) { state }
      deleteSensors(sensorIds: ["graph-1"], whileSending: true) { sensorId readings }
      deleteSensor(sensorId: "graph-2", whileSending: true, dryRun: true) { readings deletedAt }
      nobody: deleteSensor(sensorId: "nobody") { readings }
    }`);
    expect(data).toEqual({
      retireSensors: [
        { sensorId: "graph-1", state: "retired" },
        { sensorId: "graph-2", state: "retired" },
      ],
      restoreSensors: [{ state: "ok" }],
      deleteSensors: [{ sensorId: "graph-1", readings: 1 }],
      deleteSensor: { readings: 1, deletedAt: null },
      nobody: null,
    });
    const listed = await graphql("{ sensorDeletions(limit: 1) { deletions { sensorId deletedBy } nextPageToken } }");
    expect(listed.data).toMatchObject({
      sensorDeletions: { deletions: [{ sensorId: "graph-1", deletedBy: "anonymous" }] },
    });
  });

  test("by the command line: nothing is deleted without --yes", async () => {
    await send("cli/gone");
    const cli = async (...args: string[]) => {
      const run = runCli("sensor", ...args, "--url", platform.grpc);
      return { code: await run.ended, stdout: run.stdout(), stderr: run.stderr() };
    };
    expect((await cli("retire", "cli/gone")).stdout).toMatch(/^cli\/gone {2}retired {2}/);
    expect((await cli("list", "--match", "state=retired")).stderr).toBe(
      "0 sensors: 0 alerting, 0 stale, 0 ok; 1 retired\n",
    );
    expect((await cli("restore", "cli/gone")).stdout).toMatch(/^cli\/gone {2}ok {2}/);
    const refused = await cli("delete", "cli/gone", "--yes");
    expect([refused.code, refused.stdout]).toEqual([1, ""]);
    expect(refused.stderr).toContain("while_sending");
    const planned = await cli("delete", "cli/gone", "--while-sending");
    expect(planned).toEqual({
      ...{ code: 0, stdout: "cli/gone  1 reading, 0 alerts\n" },
      stderr: "Nothing was deleted: give --yes to delete them for good.\n",
    });
    expect((await cli("delete", "cli/gone", "--while-sending", "--yes")).stderr).toMatch(/^1 sensor deleted; /);
    expect((await cli("deletions", "--limit", "1")).stdout).toMatch(/^cli\/gone {2}deleted \S+ by anonymous {2}/);
    expect((await cli("show", "cli/gone")).code).toBe(1);
  });
});
