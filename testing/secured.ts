/** A platform that asks who calls, with an issuer of JWTs beside it and some sensors of two owners in it. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { AdminService, type Scope } from "../gen/es/telltale/v1/admin_pb.ts";
import { IngestService } from "../gen/es/telltale/v1/ingest_pb.ts";
import { type SpanReceiver, startSpanReceiver } from "./otlp.ts";
import { type Platform, startPlatform } from "./platform.ts";

export interface Secured extends Platform {
  readonly adminToken: string;
  /** Calls with the token; without one where it is undefined. */
  readonly as: (token: string | undefined) => Transport;
  /** A new token, its id and its secret. */
  readonly mint: (
    scopes: Scope[],
    sensorPrefix?: string,
    expiresInMs?: number,
  ) => Promise<{ id: string; secret: string }>;
  readonly jwt: (payload: JWTPayload, changes?: { expires?: string; alg?: "none" }) => Promise<string>;
  /** Every secret that was handed out: none may show in a log line, a span or an answer. */
  readonly secrets: string[];
  /** Where its spans go. */
  readonly receiver: SpanReceiver;
}

export const audience = "telltale-test";

export async function startSecured(environment: NodeJS.ProcessEnv = {}): Promise<Secured> {
  const keys = await generateKeyPair("ES256");
  const jwks = JSON.stringify({
    keys: [{ ...(await exportJWK(keys.publicKey)), kid: "k1", alg: "ES256", use: "sig" }],
  });
  const issuer = http.createServer((_, response) => {
    response.setHeader("content-type", "application/json");
    response.end(jwks);
  });
  issuer.listen(0, "127.0.0.1");
  await once(issuer, "listening");
  const address = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`;

  const receiver = await startSpanReceiver();
  const platform = await startPlatform({
    ...receiver.environment,
    // Spans are looked at while it runs.
    OTEL_BSP_SCHEDULE_DELAY: "200",
    AUTH: "on",
    LOG_LEVEL: "DEBUG",
    OIDC_JWKS_URL: `${address}/keys`,
    OIDC_ISSUER: address,
    OIDC_AUDIENCE: audience,
    ...environment,
  });
  const adminToken = (await readFile(join(platform.dataDir, "admin-token"), "utf8")).trim();
  const secrets = [adminToken];
  const as = (token: string | undefined) =>
    createGrpcTransport({
      baseUrl: platform.grpc,
      interceptors: [
        (next) => (request) => {
          if (token !== undefined) request.header.set("authorization", `Bearer ${token}`);
          return next(request);
        },
      ],
    });
  const admin = createClient(AdminService, as(adminToken));
  return {
    ...platform,
    adminToken,
    secrets,
    receiver,
    as,
    async mint(scopes, sensorPrefix = "", expiresInMs) {
      const ends = expiresInMs === undefined ? {} : { expiresAt: timestamp(Date.now() + expiresInMs) };
      const name = `test ${secrets.length}`;
      const { token, secret } = await admin.createToken({ token: { name, scopes, sensorPrefix, ...ends } });
      secrets.push(secret);
      return { id: token!.id, secret };
    },
    async jwt(payload, { expires = "5m", alg } = {}) {
      const claims = { iss: address, aud: audience, sub: "ann", sensor_prefix: "*", ...payload };
      if (alg === "none") {
        const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
        return `${encode({ alg })}.${encode({ ...claims, exp: 9e9 })}.`;
      }
      const token = await new SignJWT(claims)
        .setProtectedHeader({ alg: "ES256", kid: "k1" })
        .setExpirationTime(expires)
        .sign(keys.privateKey);
      secrets.push(token);
      return token;
    },
    async stop() {
      issuer.close();
      receiver.close();
      await platform.stop();
    },
  };
}

/** Readings of the sensor, one a second up to now, steady but for the last, which is far away. */
export async function fill(transport: Transport, sensorId: string): Promise<void> {
  const count = 120;
  const values = Array.from({ length: count }, (_, i) => 20 + Math.sin(i) / 10);
  values[count - 1] = 500;
  const block = {
    sensorId,
    sensorType: "temperature",
    unit: "C",
    baseTimeUs: BigInt(Date.now() - count * 1_000) * 1_000n,
    timeDeltasUs: Array(count).fill(1_000_000),
    values,
  };
  await createClient(IngestService, transport).submitReadings({ blocks: [block] });
}

function timestamp(milliseconds: number) {
  return { seconds: BigInt(Math.floor(milliseconds / 1_000)), nanos: (milliseconds % 1_000) * 1e6 };
}
