import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Sql } from "postgres";
import { makeFolder } from "../../formats/folder.ts";
import type { Clock } from "../clock.ts";
import { StartupError, TelltaleError } from "../errors.ts";
import { openRedis } from "../lib/redis-client.ts";
import type { Logger } from "../observe/logger.ts";
import { createActCheck, type MayAct, type PageHeaders } from "./act.ts";
import { Attempts } from "./attempts.ts";
import { Audit } from "./audit.ts";
import { type Authenticator, createAuthenticator } from "./authenticate.ts";
import { ConsoleSessions } from "./console-sessions.ts";
import { createHostCheck } from "./hosts.ts";
import { createJwtVerifier, remoteKeys } from "./jwt.ts";
import { createLogoutVerifier, type LogoutVerifier } from "./logout-token.ts";
import { anonymous, nobody, type Peer, type Principal } from "./principal.ts";
import { Quota } from "./quota.ts";
import { checkRule, isSafeFromPages, ruleOf } from "./rules.ts";
import { createSessions, type Sessions } from "./sessions.ts";
import type { SecuritySettings } from "./settings.ts";
import { type TlsFiles, watchTlsFiles } from "./tls.ts";
import { Tokens } from "./tokens.ts";
import { createLocalUsage } from "./usage-local.ts";
import { createRedisUsage } from "./usage-redis.ts";

/** Somebody asks for something. */
export interface AccessRequest {
  /** What is asked for, as the table of rules names it: "service/method". */
  readonly action: string;
  /** The authorization header. */
  readonly credential: string | null;
  readonly peer: Peer;
  /** What the request says of the page that it comes from. */
  readonly page?: PageHeaders;
}

/** Everything that the listeners need to know whom to let in. Knows no protocol. */
export interface Security {
  /**
   * Who asks, where they may.
   *
   * @throws TelltaleError "unauthenticated" or "forbidden"
   */
  authorize(request: AccessRequest): Promise<Principal>;
  /** Undefined where nothing is limited. */
  readonly quota: Quota | undefined;
  /** Long calls that end with their credential. */
  readonly sessions: Sessions;
  /** For AdminService. */
  readonly tokens: Tokens;
  readonly consoleSessions: ConsoleSessions;
  /** Undefined where nobody signs in at an identity provider. */
  readonly verifyLogout: LogoutVerifier | undefined;
  readonly audit: Audit;
  /** For both listeners. */
  readonly allowsHost: (authority: string) => boolean;
  readonly tls: TlsFiles | undefined;
  /** Rejects with the reason while limits that replicas should count together are counted by each alone. */
  readonly pingUsage: (timeoutMs: number) => Promise<void>;
  /** File with the secret of the first administrator, where this process made it. */
  readonly adminTokenFile: string | undefined;
  close(): void;
}

export interface SecurityOptions {
  readonly settings: SecuritySettings;
  readonly bindAddress: string;
  /** Origins whose pages may call; those that are named may act too. */
  readonly allowedOrigins: readonly string[];
  readonly dataDir: string;
  readonly sql: Sql;
  /** Counts usage across replicas; undefined: in this process. */
  readonly redisUrl: string | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

export async function createSecurity(options: SecurityOptions): Promise<Security> {
  const { settings, sql, clock, logger } = options;
  const tokens = new Tokens({ sql, clock, logger });
  const consoleSessions = new ConsoleSessions({ sql, clock, logger });
  const audit = new Audit(sql);
  const sessions = createSessions({ tokens, consoleSessions, clock, logger });
  const { oidc } = settings;
  const keys = oidc && remoteKeys(oidc);
  const admin = settings.auth ? await adminToken(options) : undefined;
  const authenticate: Authenticator =
    admin === undefined
      ? async () => anonymous
      : createAuthenticator({
          tokens,
          consoleSessions,
          adminToken: admin.secret,
          jwt: oidc && createJwtVerifier(oidc, keys!),
        });
  const attempts = new Attempts(clock);
  const identify: Authenticator = (authorization, peer) =>
    admin === undefined
      ? authenticate(authorization, peer)
      : attempts.check({ address: peer.address, authorization }, () => authenticate(authorization, peer));
  const { redisUrl: url } = options;
  const shared = url !== undefined && limited(settings);
  const usage = shared
    ? createRedisUsage(openRedis({ url, logger }, "telltale-quota"), clock, logger)
    : createLocalUsage(clock);
  const mayAct = createActCheck(settings, options.allowedOrigins);
  const tls = settings.tls && watchTlsFiles(settings.tls, logger);
  return {
    async authorize({ action, credential, peer, page }) {
      const rule = ruleOf(action);
      if (page !== undefined && !isSafeFromPages(rule)) checkPage(mayAct, page);
      if (rule === "public") return anonymous;
      if (rule === "link") return nobody;
      const principal = await identify(credential, peer);
      checkRule(rule, principal);
      return principal;
    },
    quota: limited(settings) ? new Quota(settings.limits, usage, clock) : undefined,
    sessions,
    tokens,
    consoleSessions,
    verifyLogout: oidc?.signIn && createLogoutVerifier(oidc, oidc.signIn.clientId, keys!),
    audit,
    allowsHost: createHostCheck(settings, options.bindAddress),
    tls,
    pingUsage: (timeoutMs) => usage.ping(timeoutMs),
    adminTokenFile: admin?.file,
    close() {
      sessions.close();
      tls?.close();
      usage.close();
    },
  };
}

/** @throws TelltaleError "forbidden" for a page that may not change anything */
function checkPage(mayAct: MayAct, page: PageHeaders): void {
  const refusal = mayAct(page);
  if (refusal !== undefined) throw new TelltaleError("forbidden", refusal);
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
  const unwritable = (cause: unknown) =>
    new StartupError(
      `The administrator's token cannot be kept in ${file}: set ADMIN_TOKEN, or DATA_DIR to a folder that can be written.`,
      { cause },
    );
  try {
    makeFolder(dataDir, 0o700);
  } catch (error) {
    throw unwritable(error);
  }
  const token = `${randomBytes(32).toString("base64url")}\n`;
  await writeFile(file, token, { mode: 0o600, flag: "wx" }).catch((error: NodeJS.ErrnoException) => {
    // Made by an earlier start.
    if (error.code !== "EEXIST") throw unwritable(error);
  });
  const secret = (await readFile(file, "utf8")).trim();
  if (secret.length < 32) throw new StartupError(`${file} holds no token: remove it, and another is made.`);
  return { secret, file };
}
