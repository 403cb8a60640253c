import { once } from "node:events";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import https from "node:https";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import tls from "node:tls";
import { type ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, it } from "vitest";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { type Authority, createAuthority, type Pair } from "../../testing/certificates.ts";
import { describeWith } from "../../testing/needs.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";

describeWith(["openssl"], "behind TLS", () => {
  let authority: Authority;
  let stranger: Authority;
  let platform: Platform;
  let folder: string;
  let admin: string;
  const use = ({ certFile, keyFile }: Pair) => {
    copyFileSync(certFile, join(folder, "server.pem"));
    copyFileSync(keyFile, join(folder, "server.key"));
  };
  beforeAll(async () => {
    authority = createAuthority();
    stranger = createAuthority();
    folder = mkdtempSync(join(tmpdir(), "telltale-tls-"));
    use(authority.issue("first"));
    platform = await startPlatform({
      AUTH: "on",
      TLS_CERT_FILE: join(folder, "server.pem"),
      TLS_KEY_FILE: join(folder, "server.key"),
      TLS_CLIENT_CA_FILE: authority.caFile,
      TLS_RELOAD_MS: "100",
      LOG_LEVEL: "INFO",
    });
    admin = readFileSync(join(platform.dataDir, "admin-token"), "utf8").trim();
  });
  afterAll(async () => {
    await platform?.stop();
    authority?.remove();
    stranger?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  const nodeOptions = (client?: Pair) => ({ ca: authority.ca, ...(client && { cert: client.cert, key: client.key }) });
  const device = (client?: Pair) =>
    createClient(IngestService, createGrpcTransport({ baseUrl: platform.grpc, nodeOptions: nodeOptions(client) }));
  const reading = { sensorId: "tls", sensorType: "t", unit: "u", value: 1 };
  const headers = () => ({ authorization: `Bearer ${admin}` });

  it("both listeners speak https", () => {
    expect(platform.grpc).toMatch(/^https:/);
    expect(platform.http).toMatch(/^https:/);
  });

  it("one port serves gRPC over HTTP/2, and Connect over HTTP/1.1 as browsers would", async () => {
    for (const transport of [
      createGrpcTransport({ baseUrl: platform.grpc, nodeOptions: nodeOptions() }),
      createConnectTransport({ baseUrl: platform.grpc, httpVersion: "1.1", nodeOptions: nodeOptions() }),
      createConnectTransport({ baseUrl: platform.grpc, httpVersion: "2", nodeOptions: nodeOptions() }),
    ]) {
      await createClient(QueryService, transport).listSensors({ limit: 1 }, { headers: headers() });
    }
  });

  it("the HTTP listener answers, and reaches the services behind it", async () => {
    const request = https.get(`${platform.http}/api/v1/sensors/data`, { ca: authority.ca, headers: headers() });
    const [response] = await once(request, "response");
    expect([response.statusCode, Array.isArray(JSON.parse(await text(response)))]).toEqual([200, true]);
  });

  it("a device with a certificate sends as the producer that it names, and as no other", async () => {
    const client = authority.issue("press-7");
    const batch = (producer: string) => ({ producer, sequence: 1n, readings: [reading] });
    const answers = [];
    for await (const answer of device(client).streamReadings(one(batch("press-7"))))
      answers.push(answer.durableSequence);
    expect(answers.at(-1)).toBe(1n);
    const other = await failure(() => drain(device(client).streamReadings(one(batch("press-8")))));
    expect(other).toMatchObject({ code: status.PERMISSION_DENIED, rawMessage: expect.stringContaining("press-7") });
    expect((await failure(() => device(client).submitReadings(batch("press-8")))).code).toBe(status.PERMISSION_DENIED);
  });

  it("a device with a certificate reads nothing", async () => {
    const transport = createGrpcTransport({
      baseUrl: platform.grpc,
      nodeOptions: nodeOptions(authority.issue("press-7")),
    });
    expect((await failure(() => createClient(QueryService, transport).listSensors({}))).code).toBe(
      status.PERMISSION_DENIED,
    );
  });

  it("a device without a certificate, or with one of another authority, is not known", async () => {
    for (const client of [undefined, stranger.issue("press-7")]) {
      expect((await failure(() => device(client).submitReadings({ readings: [reading] }))).code).toBe(
        status.UNAUTHENTICATED,
      );
    }
  });

  it("clear text gets no answer", async () => {
    const socket = net.connect(Number(new URL(platform.grpc).port), "127.0.0.1");
    socket.on("error", () => undefined); // a reset is an answer too
    let answer = "";
    socket.setEncoding("latin1").on("data", (part: string) => {
      answer += part;
    });
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.write("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await closed;
    expect(answer).not.toContain("healthy");
  });

  it("versions before 1.2 are refused", async () => {
    const port = Number(new URL(platform.grpc).port);
    const socket = tls.connect({
      port,
      host: "127.0.0.1",
      ca: authority.ca,
      maxVersion: "TLSv1.1",
      minVersion: "TLSv1",
      ciphers: "ALL:@SECLEVEL=0",
    });
    const [error] = await once(socket, "error");
    expect(String(error)).toMatch(/version|handshake|protocol/i);
  });

  it("a renewed certificate is used at both listeners without a restart, and the old connections stay", async () => {
    const standing = createClient(
      QueryService,
      createGrpcTransport({ baseUrl: platform.grpc, nodeOptions: nodeOptions() }),
    );
    await standing.listSensors({ limit: 1 }, { headers: headers() });
    use(authority.issue("second"));
    for (const url of [platform.grpc, platform.http]) await until(async () => (await subjectOf(url)) === "second");
    await standing.listSensors({ limit: 1 }, { headers: headers() });
  });

  it("files that cannot be used are reported, and the certificate before them stays", async () => {
    copyFileSync(authority.issue("third").certFile, join(folder, "server.pem")); // without its key
    await until(async () => platform.output().includes("the old ones stay"));
    expect(await subjectOf(platform.grpc)).toBe("second");
  });

  async function subjectOf(url: string): Promise<string | undefined> {
    const socket = tls.connect({ port: Number(new URL(url).port), host: "127.0.0.1", ca: authority.ca });
    await once(socket, "secureConnect");
    const { CN } = socket.getPeerCertificate().subject;
    socket.destroy();
    return Array.isArray(CN) ? CN[0] : CN;
  }
});

async function* one<T>(message: T) {
  yield message;
}

async function drain(messages: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of messages);
}

async function failure(call: () => Promise<unknown>): Promise<ConnectError> {
  try {
    await call();
  } catch (error) {
    return error as ConnectError;
  }
  throw new Error("the call succeeded");
}

/** The files are looked at every 100 ms; there is nothing to await but their being seen. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 20_000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error("it did not happen within 20 s");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
