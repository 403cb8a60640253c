import { type ExecFileException, execFile } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Authority, createAuthority } from "../../testing/certificates.ts";
import { describeWith } from "../../testing/needs.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { end, freePort } from "../../testing/processes.ts";
import { root } from "./support/image.ts";

describeWith(["openssl"], "the health check where a client certificate is required", () => {
  let authority: Authority;
  let platform: Platform;
  let env: NodeJS.ProcessEnv;
  beforeAll(async () => {
    authority = createAuthority();
    const { certFile, keyFile } = authority.issue("server");
    env = {
      AUTH: "on",
      TLS_CERT_FILE: certFile,
      TLS_KEY_FILE: keyFile,
      TLS_CLIENT_CA_FILE: authority.caFile,
      TLS_CLIENT_CERTIFICATES: "required",
      PORT: String(await freePort()),
      GRPC_PORT: String(await freePort()),
    };
    platform = await startPlatform(env);
  });
  afterAll(async () => {
    await platform?.stop();
    authority?.remove();
  });

  const check = (more: NodeJS.ProcessEnv = {}) =>
    new Promise<string>((resolve) => {
      const file = join(root, "deploy/docker/health.ts");
      const said = (error: ExecFileException | null, _: string, stderr: string) => resolve(error ? stderr : "healthy");
      execFile(process.execPath, [file], { env: { ...process.env, ...env, ...more } }, said);
    });

  test("looks behind the listener with a certificate of its own, sees that the listener serves without one, and refuses half a pair", async () => {
    const own = authority.issue("health");
    expect(await check({ HEALTH_CERT_FILE: own.certFile, HEALTH_KEY_FILE: own.keyFile })).toBe("healthy");
    expect(await check()).toBe("healthy");
    expect(await check({ HEALTH_CERT_FILE: own.certFile })).toContain("belong together");
    // A listener that serves without TLS, or none at all, is not taken for one that asks for a certificate.
    expect(await check({ GRPC_PORT: String(await freePort()) })).toContain("not healthy: connect ECONNREFUSED");
    await end(platform.process);
    expect(await check()).toContain("not healthy: connect ECONNREFUSED");
  });
});
