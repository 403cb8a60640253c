import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ConnectRouter, HandlerContext, Interceptor } from "@connectrpc/connect";
import type { Sql } from "postgres";
import { AdminService } from "../../gen/es/telltale/v1/admin_pb.ts";
import { openRedis } from "../cache/redis-client.ts";
import type { Clock } from "../clock.ts";
import { StartupError } from "../errors.ts";
import type { Logger } from "../observe/logger.ts";
import { createAdminService } from "../rpc/admin.ts";
import { anonymous, peerKey, principalKey } from "../rpc/principal.ts";
import { Audit } from "./audit.ts";
import { type Authenticator, createAuthenticator } from "./authenticate.ts";
import type { Forwarding } from "./forwarded.ts";
import { createHostCheck } from "./hosts.ts";
import { createJwtVerifier } from "./jwt.ts";
import { quotaInterceptor } from "./limits.ts";
import { producerInterceptor } from "./producer.ts";
import { checkRule, ruleOf, rules } from "./rules.ts";
import { createSessions } from "./sessions.ts";
import type { SecuritySettings } from "./settings.ts";
import { type TlsFiles, watchTlsFiles } from "./tls.ts";
import { Tokens } from "./tokens.ts";
import { createLocalUsage } from "./usage-local.ts";
import { createRedisUsage } from "./usage-redis.ts";

/** Everything that the doors need to know whom to let in. */
export interface Security {
  /** For `startRpcServer`: refuses by the one table, and says who calls. */
  readonly gate: (context: HandlerContext) => Promise<void>;
  /** For `startRpcServer`, in this order. */
  readonly interceptors: readonly Interceptor[];
  /** AdminService. */
  readonly routes: (router: ConnectRouter) => void;
  /** For both doors. */
  readonly allowsHost: (authority: string) => boolean;
  readonly tls: TlsFiles | undefined;
  /** For the metrics page of the gRPC door: rejects as `gate` would for a question about the whole platform. */
  readonly metricsGate: (authorization: string | null) => Promise<void>;
  /** Rejects with the reason while limits that replicas should count together are counted by each alone. */
  readonly pingUsage: (timeoutMs: number) => Promise<void>;
  /** File with the secret of the first administrator, where this process made it. */
  readonly adminTokenFile: string | undefined;
  close(): void;
}

export interface SecurityOptions {
  readonly settings: SecuritySettings;
  readonly bindAddress: string;
  readonly dataDir: string;
  readonly sql: Sql;
  /** Counts usage across replicas; undefined: in this process. */
  readonly redisUrl: string | undefined;
  /** Whose call a gateway hands on. */
  readonly forwarding: Forwarding;
  readonly clock: Clock;
  readonly logger: Logger;
}

const wholePlatform = rules["telltale.v1.QueryService/GetPlatformStats"]!;

export async function createSecurity(options: SecurityOptions): Promise<Security> {
  const { settings, sql, clock, logger, forwarding } = options;
  const tokens = new Tokens({ sql, clock, logger });
  const audit = new Audit(sql);
  const sessions = createSessions({ tokens, clock, logger });
  const admin = settings.auth ? await adminToken(options) : undefined;
  const authenticate: Authenticator =
    admin === undefined
      ? async () => anonymous
      : createAuthenticator({
          tokens,
          adminToken: admin.secret,
          jwt: settings.oidc && createJwtVerifier(settings.oidc),
        });
  const { redisUrl: url } = options;
  const shared = url !== undefined && limited(settings);
  const usage = shared
    ? createRedisUsage(openRedis({ url, logger }, "telltale-quota"), clock, logger)
    : createLocalUsage(clock);
  const tls = settings.tls && watchTlsFiles(settings.tls, logger);
  return {
    async gate({ service, method, requestHeader, values }) {
      const rule = ruleOf(service, method);
      const client = forwarding.read(requestHeader);
      // Its connection is the gateway's: what that connection proves is not the caller's.
      if (client !== undefined) values.set(peerKey, { address: client, certificateName: undefined });
      if (rule === "public") return;
      const principal = await authenticate(requestHeader.get("authorization"), values.get(peerKey));
      checkRule(rule, principal);
      values.set(principalKey, principal);
    },
    interceptors: [
      sessions.interceptor,
      ...(limited(settings) ? [quotaInterceptor(settings.limits, usage, clock)] : []),
      producerInterceptor,
      audit.interceptor,
    ],
    routes: (router) => router.service(AdminService, createAdminService({ tokens, audit, clock })),
    allowsHost: createHostCheck(settings, options.bindAddress),
    tls,
    async metricsGate(authorization) {
      if (!settings.auth) return;
      checkRule(wholePlatform, await authenticate(authorization, { address: "", certificateName: undefined }));
    },
    pingUsage: (timeoutMs) => usage.ping(timeoutMs),
    adminTokenFile: admin?.file,
    close() {
      sessions.close();
      tls?.close();
      usage.close();
    },
  };
}

function limited({ limits }: SecuritySettings): boolean {
  return Object.values(limits).some((limit) => limit > 0);
}

/** The configured secret, or one of our own that stays the same in the data folder, readable by its owner alone. */
async function adminToken({
  settings,
  dataDir,
}: SecurityOptions): Promise<{ secret: string; file: string | undefined }> {
  if (settings.adminToken !== undefined) return { secret: settings.adminToken, file: undefined };
  const file = join(dataDir, "admin-token");
  try {
    await mkdir(dataDir, { recursive: true });
    await writeFile(file, `${randomBytes(32).toString("base64url")}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
      throw new StartupError(
        `The administrator's token cannot be kept in ${file}: set ADMIN_TOKEN, or DATA_DIR to a folder that can be written.`,
        { cause: error },
      );
    }
  }
  const secret = (await readFile(file, "utf8")).trim();
  if (secret.length < 32) throw new StartupError(`${file} holds no token: remove it, and another is made.`);
  return { secret, file };
}
