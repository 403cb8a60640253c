/** Paging by token through readings and alerts, by each of the interfaces, against the real platform. */
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AlertService } from "../../gen/es/telltale/v1/alert_pb.ts";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { askGraphql } from "../../testing/graphql.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { fill } from "../../testing/secured.ts";

/** Odd against the pages, so that the last one is short. */
const SENSORS = 13;
const READINGS_EACH = 120;
const PAGE = 5;

let platform: Platform;
const transport = () => createGrpcTransport({ baseUrl: platform.grpc });
const alerts = () => createClient(AlertService, transport());
const query = () => createClient(QueryService, transport());

beforeAll(async () => {
  platform = await startPlatform();
  for (let i = 0; i < SENSORS; i++) await fill(transport(), `old-${i}`);
}, 120_000);
afterAll(() => platform?.stop());

/** A sensor more, with an alert, newer than all before it. */
const arrive = (name: string) => fill(transport(), name);

/** All pages of a list, by its tokens. */
async function walk<T>(page: (token: string, number: number) => Promise<{ rows: readonly T[]; next: string }>) {
  const rows: T[] = [];
  let pages = 0;
  for (let token = ""; pages === 0 || token !== ""; pages++) {
    const found = await page(token, pages);
    rows.push(...found.rows);
    token = found.next;
  }
  return { rows, pages };
}

const ids = (rows: readonly { readonly id: bigint | number }[]) => rows.map(({ id }) => Number(id));

describe("by gRPC", () => {
  test("each alert of the first page's time is in one page, newest first, while more open", async () => {
    const whole = await alerts().listAlerts({ limit: 1_000 });
    expect(whole.alerts.length).toBeGreaterThanOrEqual(SENSORS);
    expect(whole.nextPageToken).toBe("");
    const { rows, pages } = await walk(async (pageToken, number) => {
      const page = await alerts().listAlerts({ limit: PAGE, pageToken });
      if (number < 2) await arrive(`meanwhile-${number}`);
      return { rows: page.alerts, next: page.nextPageToken };
    });
    expect(ids(rows)).toEqual(ids(whole.alerts));
    expect(pages).toBe(Math.ceil(whole.alerts.length / PAGE));
  });

  test("so is each reading, at equal times too", async () => {
    const endTime = (await alerts().listAlerts({ limit: 1 })).alerts[0]!.openedAt!;
    const filter = { sensorType: "temperature", endTime };
    const whole = await query().listReadings({ ...filter, limit: 1_000 });
    const seen = await walk(async (pageToken, number) => {
      const page = await query().listReadings({ ...filter, limit: 97, pageToken });
      if (number === 1) await arrive("meanwhile-readings");
      return { rows: page.readings, next: page.nextPageToken };
    });
    expect(new Set(ids(seen.rows)).size).toBe(seen.rows.length);
    // The times of those that came meanwhile lie among the others'.
    const before = seen.rows.filter(({ sensorId }) => sensorId !== "meanwhile-readings");
    expect(before.length).toBeGreaterThanOrEqual(SENSORS * READINGS_EACH);
    expect(ids(before).slice(0, 1_000)).toEqual(ids(whole.readings));
  });

  test("a page that ends with the last row has no token, and a limit of 0 none either", async () => {
    const filter = { sensorId: "old-0" };
    const { alerts: all } = await alerts().listAlerts(filter);
    expect((await alerts().listAlerts({ ...filter, limit: all.length })).nextPageToken).toBe("");
    expect(await alerts().listAlerts({ limit: 0 })).toMatchObject({ alerts: [], nextPageToken: "", more: false });
    expect((await query().listReadings({ ...filter, limit: READINGS_EACH })).nextPageToken).toBe("");
    expect((await query().listReadings({ ...filter, limit: READINGS_EACH - 1 })).nextPageToken).not.toBe("");
  });

  test("a token made with other filters, of another list or of nobody is refused by name", async () => {
    const { nextPageToken } = await alerts().listAlerts({ limit: 1 });
    const readings = (await query().listReadings({ limit: 1 })).nextPageToken;
    const failed = async (call: Promise<unknown>) =>
      ConnectError.from(
        await call.then(
          () => undefined,
          (error: unknown) => error,
        ),
      );
    for (const [call, words] of [
      [() => alerts().listAlerts({ pageToken: nextPageToken, resolved: true }), "another resolved"],
      [() => alerts().listAlerts({ pageToken: nextPageToken, sensorId: "old-0" }), "another sensor_id"],
      [() => query().listReadings({ pageToken: readings, anomaliesOnly: true }), "another anomalies_only"],
      [() => query().listReadings({ pageToken: nextPageToken }), "of another list"],
      [() => alerts().listAlerts({ pageToken: "%%%" }), "not valid"],
      [() => alerts().listAlerts({ pageToken: "x".repeat(201) }), "page_token"],
    ] as const) {
      const error = await failed(call());
      expect(error.code).toBe(Code.InvalidArgument);
      expect(error.rawMessage).toContain(words);
    }
    // The number of rows is no filter.
    expect((await alerts().listAlerts({ pageToken: nextPageToken, limit: 2 })).alerts).toHaveLength(2);
  });
});

describe("by REST", () => {
  const get = (path: string) => fetch(new URL(path, platform.http));
  const next = (response: Response) => /^<(\/[^>]+)>; rel="next"$/.exec(response.headers.get("link") ?? "")?.[1];

  test.each([
    [
      "alerts",
      `/api/v1/sensors/alerts?resolved=false&limit=${PAGE}&offset=0`,
      "/api/v1/sensors/alerts?resolved=false&limit=1000",
    ],
    ["readings", "/api/v1/sensors/data?sensor_id=old-3&limit=50", "/api/v1/sensors/data?sensor_id=old-3&limit=1000"],
  ])("the Link header goes on through %s, and the answers stay bare lists", async (_, first, all) => {
    const whole = await get(all);
    expect(whole.headers.get("link")).toBeNull();
    const rows: { id: number }[] = [];
    let pages = 0;
    for (let path: string | undefined = first; path !== undefined; pages++) {
      const response = await get(path);
      expect(response.status).toBe(200);
      rows.push(...((await response.json()) as { id: number }[]));
      path = next(response);
    }
    expect(pages).toBeGreaterThan(1);
    expect(rows).toEqual(await whole.json());
  });

  test("pages of other origins may read the header", async () => {
    const response = await fetch(`${platform.http}/api/v1/sensors/data?limit=1`, {
      headers: { origin: "https://a.example" },
    });
    expect(response.headers.get("access-control-expose-headers")).toContain("link");
  });

  test.each(["alerts", "data"])("a bad token of %s is a 422 that names it; an empty one is none", async (list) => {
    const refused = await get(`/api/v1/sensors/${list}?page_token=nonsense`);
    expect(refused.status).toBe(422);
    const { detail } = (await refused.json()) as { detail: { loc: string[] }[] };
    expect(detail.map(({ loc }) => loc)).toEqual([["query", "page_token"]]);
    expect((await get(`/api/v1/sensors/${list}?page_token=&limit=1`)).status).toBe(200);
    expect((await get(`/api/v1/sensors/${list}?page_token=${"x".repeat(201)}`)).status).toBe(422);
  });
});

describe("by GraphQL", () => {
  const ask = (text: string, variables: object) => askGraphql(platform.http, text, variables);

  test.each([
    ["anomalyAlertsPage", "alerts", "anomalyAlerts"],
    ["sensorDataPage", "readings", "sensorData"],
  ])("%s goes through the list", async (field, list, plain) => {
    const whole = await ask(`{ ${plain}(sensorId: "old-1", limit: 1000) { id } }`, {});
    const text = `query ($t: String) { page: ${field}(sensorId: "old-1", limit: 1, pageToken: $t) { ${list} { id } nextPageToken } }`;
    const wanted = (whole.data[plain] as unknown as { id: number }[]).slice(0, 3);
    const rows: { id: number }[] = [];
    let token = "";
    do {
      const { data } = await ask(text, { t: token });
      const page = data.page as unknown as Record<string, { id: number }[]> & { nextPageToken: string };
      rows.push(...page[list]!);
      token = page.nextPageToken;
    } while (token !== "" && rows.length < wanted.length);
    expect(rows).toEqual(wanted);
    const other = text.replace('sensorId: "old-1", ', "");
    const bad = await ask(other, { t: "nonsense" });
    expect(bad.errors?.[0]?.message).toContain("page_token");
  });
});
