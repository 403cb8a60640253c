/** `http_config` of Alertmanager: proxies, OAuth 2.0 and TLS, by configurations as people write them, against real servers. */
import { writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Authority, createAuthority, type Pair } from "../../../testing/certificates.ts";
import { type HttpProxy, startHttpProxy } from "../../../testing/http-proxy.ts";
import { notification } from "../../../testing/notification.ts";
import { startWebhookSink, type WebhookSink } from "../../../testing/webhook-sink.ts";
import { manualClock } from "../../clock.ts";
import type { Environment } from "../../environment.ts";
import type { Channel } from "../channel.ts";
import { parseNotifyConfig } from "../config/parse.ts";
import { AddressGuard } from "./addresses.ts";
import { openChannel } from "./open.ts";

let authority: Authority;
let certificate: Pair;
let plain: WebhookSink;
let secured: WebhookSink;
let tokens: WebhookSink;
const proxies: HttpProxy[] = [];
const clock = manualClock(1_763_856_000_000_000);
beforeAll(async () => {
  authority = createAuthority();
  certificate = authority.issue("localhost");
  [plain, secured, tokens] = await Promise.all([startWebhookSink(), startWebhookSink(certificate), startWebhookSink()]);
});
afterEach(async () => {
  for (const sink of [plain, secured]) sink.answer((response) => response.end());
  await Promise.all(proxies.splice(0).map((proxy) => proxy.close()));
});
afterAll(async () => {
  await Promise.all([plain, secured, tokens].map((sink) => sink?.close()));
  authority.remove();
});

async function proxy(options: Parameters<typeof startHttpProxy>[0] = {}): Promise<HttpProxy> {
  const started = await startHttpProxy(options);
  proxies.push(started);
  return started;
}

interface Given {
  readonly allowed?: readonly string[];
  readonly environment?: Environment;
  /** More of the channel. */
  readonly more?: string;
  /** Addresses of names that our own resolver knows. */
  readonly names?: Readonly<Record<string, string>>;
}

function open(
  url: string,
  http: string,
  { allowed = ["127.0.0.1", "localhost"], environment = {}, more = "", names }: Given = {},
): Channel {
  const parsed = parseNotifyConfig(
    `route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url: '${url}', http_config: {${http}}${more}}]}]`,
  );
  if ("problems" in parsed)
    throw new Error(parsed.problems.map(({ path, message }) => `${path}: ${message}`).join("\n"));
  const options = { addresses: guardOf(allowed, names), environment, clock, source: "/telltale" };
  return openChannel(parsed.config.receivers[0]!.channels[0]!, options);
}

function guardOf(allowed: readonly string[], names: Given["names"]): AddressGuard {
  if (names === undefined) return new AddressGuard(allowed);
  return new AddressGuard(allowed, (host, done) => done(null, [{ address: names[host]!, family: 4 }]));
}

const send = (channel: Channel) => channel.send(notification(), new AbortController().signal);
const sent = (url: string, http: string, given?: Given) => send(open(url, http, given));
const trusted = () => `tls_config: {ca_file: ${authority.caFile}}`;

describe("a proxy", () => {
  test("is asked for a plain address as a whole, and for a secured one by CONNECT, with its password", async () => {
    const through = await proxy({ credentials: "ann:pass word" });
    const url = `http://ann:pass%20word@127.0.0.1:${through.port}`;
    expect(await sent(`${plain.url}/x?y=1`, `proxy_url: '${url}'`)).toEqual({ kind: "ok" });
    expect(await sent(`${secured.url}/s`, `proxy_url: '${url}', ${trusted()}`)).toEqual({ kind: "ok" });
    expect(through.asked).toEqual([`POST ${plain.url}/x?y=1`, `CONNECT 127.0.0.1:${secured.port}`]);
    expect(plain.posted.at(-1)).toMatchObject({ path: "/x?y=1", headers: { host: `127.0.0.1:${plain.port}` } });
    expect(plain.posted.at(-1)!.headers).not.toHaveProperty("proxy-authorization");
    expect(secured.posted.at(-1)).toMatchObject({ path: "/s" });
  });

  test("gets no password of the address, which the receiver gets", async () => {
    const through = await proxy();
    const environment = { HOOK: `${plain.url.replace("://", "://ann:pass%20word@")}/x#part` };
    expect(await sent(`\${HOOK}`, `proxy_url: 'http://127.0.0.1:${through.port}'`, { environment })).toEqual({
      kind: "ok",
    });
    expect(through.asked).toEqual([`POST ${plain.url}/x`]);
    const authorization = `Basic ${Buffer.from("ann:pass word").toString("base64")}`;
    expect(plain.posted.at(-1)!.headers).toMatchObject({ authorization });
  });

  test("that wants a password and gets none has not taken the message, and the reason has no secret", async () => {
    const through = await proxy({ credentials: "ann:hunter2" });
    for (const [url, more] of [
      [plain.url, ""],
      [secured.url, `, ${trusted()}`],
    ]) {
      const wrong = await sent(`${url}/x`, `proxy_url: 'http://ann:hunter3@127.0.0.1:${through.port}'${more}`);
      expect(wrong).toMatchObject({ kind: "failed", reason: expect.stringContaining("407") });
      expect(JSON.stringify(wrong)).not.toContain("hunter3");
    }
  });

  test("is sent headers of its own, and may speak TLS itself", async () => {
    const through = await proxy({ tls: certificate });
    const header = `proxy_connect_header: {X-Who: ['plant'], Proxy-Authorization: ['\${AUTH}']}`;
    const url = `proxy_url: 'https://localhost:${through.port}'`;
    expect(await sent(secured.url, `${url}, ${header}, ${trusted()}`, { environment: { AUTH: "Bearer x" } })).toEqual({
      kind: "ok",
    });
    expect(through.headers[0]).toMatchObject({ "x-who": "plant", "proxy-authorization": "Bearer x" });
  });

  test("of the environment is used for what NO_PROXY does not name", async () => {
    const through = await proxy();
    const at = `http://127.0.0.1:${through.port}`;
    const go = (environment: Environment, url = plain.url) =>
      sent(url, `proxy_from_environment: true, ${trusted()}`, { environment });
    expect(await go({ HTTP_PROXY: at })).toEqual({ kind: "ok" });
    expect(await go({ https_proxy: at, HTTP_PROXY: "http://127.0.0.1:1" }, secured.url)).toEqual({ kind: "ok" });
    expect(await go({ HTTP_PROXY: at, NO_PROXY: "a.example, 127.0.0.0/8" })).toEqual({ kind: "ok" });
    expect(await go({})).toEqual({ kind: "ok" });
    expect(through.asked).toHaveLength(2);
    expect(await go({ HTTP_PROXY: "socks5://x" })).toMatchObject({
      kind: "failed",
      reason: expect.stringContaining("HTTP_PROXY"),
    });
  });

  test.each([
    ["127.0.0.1", true],
    ["a.example,127.0.0.0/16", true],
    ["*", true],
    ["127.0.0.1:1", false],
    ["10.0.0.0/8", false],
  ])("is passed by where no_proxy is %s: %s", async (no, isPassed) => {
    const through = await proxy();
    const http = `proxy_url: 'http://127.0.0.1:${through.port}', no_proxy: '${no}'`;
    expect(await sent(plain.url, http)).toEqual({ kind: "ok" });
    expect(through.asked).toHaveLength(isPassed ? 0 : 1);
  });

  test("inside the network is used only where it is allowed, and leads to no address that is not", async () => {
    const through = await proxy({ names: { "elsewhere.invalid": "127.0.0.1" } });
    const http = `proxy_url: 'http://127.0.0.1:${through.port}'`;
    expect(await sent("http://8.8.8.8/", http, { allowed: [] })).toMatchObject({
      ...{ kind: "failed", reason: expect.stringContaining("add 127.0.0.1 to NOTIFY_ALLOWED_HOSTS") },
    });
    const allowed = ["127.0.0.1"];
    for (const url of ["http://10.0.0.1/", "http://[::ffff:169.254.169.254]/", "https://intern.example/"]) {
      expect(await sent(url, http, { allowed, names: { "intern.example": "10.0.0.5" } })).toMatchObject({
        ...{ kind: "failed", reason: expect.stringContaining("NOTIFY_ALLOWED_HOSTS") },
      });
    }
    expect(through.asked).toEqual([]);
    // A name that only the proxy knows is the proxy's to judge.
    expect(await sent(`http://elsewhere.invalid:${plain.port}/`, http, { allowed })).toEqual({ kind: "ok" });
  });

  test("that is not there, or answers nothing, is waited for", async () => {
    expect(await sent(secured.url, "proxy_url: 'http://127.0.0.1:1'")).toMatchObject({ kind: "retry" });
    const silent = await proxy();
    secured.answer(() => {});
    const late = await sent(secured.url, `proxy_url: 'http://127.0.0.1:${silent.port}', ${trusted()}`, {
      more: ", timeout: 200ms",
    });
    expect(late).toEqual({ kind: "retry", reason: "given up: no answer within 200 ms" });
    await expect.poll(() => secured.connections).toBe(0);
  });
});

describe("OAuth 2.0", () => {
  const oauth = (more = "") =>
    `oauth2: {client_id: plant, client_secret: 'hunter 2', token_url: '${tokens.url}/token', scopes: [a, b], endpoint_params: {audience: telltale}${more}}`;
  /** Gives tokens t1, t2 … to whoever has the secret. */
  function issue({ expiresIn = 3_600, byBody = false } = {}) {
    let count = 0;
    tokens.answer((response, { headers, body }) => {
      response.setHeader("content-type", "application/json");
      const form = new URLSearchParams(String(body));
      const basic = `Basic ${Buffer.from("plant:hunter+2").toString("base64")}`;
      const isKnown = byBody ? form.get("client_secret") === "hunter 2" : headers.authorization === basic;
      if (!isKnown) return void response.writeHead(401).end('{"error":"invalid_client"}');
      response.end(JSON.stringify({ access_token: `t${++count}`, token_type: "bearer", expires_in: expiresIn }));
    });
  }
  const used = (from: number) => plain.posted.slice(from).map(({ headers }) => headers.authorization);

  test("gets a token by the client's credentials, and keeps it until it expires", async () => {
    issue();
    const from = plain.posted.length;
    const channel = open(plain.url, oauth());
    for (let i = 0; i < 2; i++) expect(await send(channel)).toEqual({ kind: "ok" });
    const form = new URLSearchParams(String(tokens.posted.at(-1)!.body));
    expect(Object.fromEntries(form)).toMatchObject({
      grant_type: "client_credentials",
      scope: "a b",
      audience: "telltale",
    });
    clock.advanceMs(3_595_000);
    expect(await send(channel)).toEqual({ kind: "ok" });
    expect(used(from)).toEqual(["Bearer t1", "Bearer t1", "Bearer t2"]);
  });

  test("keeps it also where texts are templates", async () => {
    issue();
    const from = plain.posted.length;
    const channel = open(plain.url, oauth(), { more: ", payload: {a: '{{ .Status }}'}" });
    for (let i = 0; i < 2; i++) expect(await send(channel)).toEqual({ kind: "ok" });
    expect(used(from)).toEqual(["Bearer t1", "Bearer t1"]);
  });

  test("sends the secret in the body to whoever does not take it in the header", async () => {
    issue({ byBody: true });
    expect(await sent(plain.url, oauth())).toEqual({ kind: "ok" });
  });

  test("gets another token where the receiver refuses the one it has, once", async () => {
    issue();
    const from = plain.posted.length;
    plain.answer((response, { headers }) =>
      response.writeHead(headers.authorization === "Bearer t2" ? 200 : 401).end(),
    );
    const channel = open(plain.url, oauth());
    expect(await send(channel)).toEqual({ kind: "ok" });
    expect(used(from)).toEqual(["Bearer t1", "Bearer t2"]);
    plain.answer((response, { headers }) => response.writeHead(401).end(`no: ${headers.authorization}`));
    expect(await send(channel)).toEqual({ kind: "failed", reason: "answered 401: no: Bearer ***" });
    expect(used(from)).toHaveLength(4);
  });

  test.each([
    [401, '{"error":"invalid_client","error_description":"hunter 2 is wrong"}', "failed"],
    [400, '{"error":"invalid_scope"}', "failed"],
    [503, "busy", "retry"],
    [429, "slowly", "retry"],
    [200, "<html>", "failed"],
    [200, '{"token_type":"bearer"}', "failed"],
    [302, "", "failed"],
  ])("says what the token's server answered where there is no token: %s %s", async (status, body, kind) => {
    tokens.answer((response) => response.writeHead(status, { "content-type": "application/json" }).end(body));
    const before = plain.posted.length;
    const wrong = await sent(plain.url, oauth());
    expect(wrong).toMatchObject({
      kind,
      reason: expect.stringMatching(new RegExp(`^the token of the webhook: answered ${status}`)),
    });
    expect(JSON.stringify(wrong)).not.toContain("hunter");
    expect(plain.posted).toHaveLength(before);
  });

  test("asks no address for a token that may not be called, and asks through its own proxy", async () => {
    issue();
    const guarded = await sent("http://127.0.0.1:1", oauth(), { allowed: ["localhost"] });
    expect(guarded).toMatchObject({ kind: "failed", reason: expect.stringContaining("NOTIFY_ALLOWED_HOSTS") });
    const through = await proxy();
    expect(await sent(plain.url, oauth(`, proxy_url: 'http://127.0.0.1:${through.port}'`))).toEqual({ kind: "ok" });
    expect(through.asked).toEqual([`POST ${tokens.url}/token`]);
  });
});

describe("TLS", () => {
  test("shows a certificate of its own, trusts an authority that stands in the file, and asks for a name", async () => {
    const client = authority.issue("plant-client");
    const server = createServer(
      { ...certificate, ca: authority.ca, requestCert: true, rejectUnauthorized: true },
      (request, response) => {
        const socket = request.socket as TLSSocket & { servername: string };
        response.writeHead(socket.getPeerCertificate().subject.CN === "plant-client" ? 200 : 403).end();
        expect(socket.servername).toBe("localhost");
        expect(socket.getProtocol()).toBe("TLSv1.2");
      },
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const ca = JSON.stringify(String(authority.ca));
    const tls = (own: string) => `tls_config: {ca: ${ca}, ${own}server_name: localhost, max_version: TLS12}`;
    expect(await sent(url, tls(`cert_file: ${client.certFile}, key_file: ${client.keyFile}, `))).toEqual({
      kind: "ok",
    });
    const inline = `cert: ${JSON.stringify(String(client.cert))}, key: ${JSON.stringify(String(client.key))}, `;
    expect(await sent(url, tls(inline))).toEqual({ kind: "ok" });
    expect((await sent(url, tls(""))).kind).toBe("retry");
    server.closeAllConnections();
    server.close();
  });

  test("believes any certificate where insecure_skip_verify says so, and none of another name", async () => {
    expect(await sent(secured.url, "tls_config: {insecure_skip_verify: true}")).toEqual({ kind: "ok" });
    expect(await sent(secured.url, `tls_config: {ca_file: ${authority.caFile}, server_name: a.example}`)).toMatchObject(
      {
        ...{ kind: "failed", reason: expect.stringContaining("the certificate is not trusted") },
      },
    );
  });

  test("says of a file that is no certificate that it is none, and shows nothing of it", async () => {
    const file = `${authority.caFile}.txt`;
    writeFileSync(file, "hunter2");
    const wrong = await sent(secured.url, `tls_config: {cert_file: ${file}, key_file: ${file}}`);
    expect(wrong).toMatchObject({ kind: "failed", reason: expect.stringContaining("no certificate") });
    expect(JSON.stringify(wrong)).not.toContain("hunter2");
  });
});
