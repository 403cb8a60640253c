/** Sessions of browsers: begun by the gateway when somebody signs in, ended by them or by an administrator. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { type AdminService, type BrowserSessionSchema, Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { TelltaleError } from "../errors.ts";
import type { ConsoleSession, ConsoleSessions } from "../security/console-sessions.ts";
import type { LogoutVerifier } from "../security/logout-token.ts";
import type { Principal } from "../security/principal.ts";
import { checkRule } from "../security/rules.ts";
import { principalOf } from "./principal.ts";

const DEFAULT_LIMIT = 100;
/** For whose sessions are not one's own. */
const ADMINISTRATORS = { scope: Scope.ADMIN, whole: true } as const;

type Methods = Pick<
  ServiceImpl<typeof AdminService>,
  "beginSession" | "listSessions" | "endSession" | "endSessions" | "endSessionsByLogoutToken"
>;

export function createSessionMethods(
  sessions: ConsoleSessions,
  verifyLogout: LogoutVerifier | undefined,
  auth: boolean,
): Methods {
  return {
    async beginSession({ browser }, context) {
      if (!auth) throw new TelltaleError("conflict", "AUTH is off: nobody has to sign in");
      const principal = principalOf(context);
      return { session: messageOf(await sessions.begin(principal, browser), principal) };
    },

    async listSessions({ all, limit = DEFAULT_LIMIT }, context) {
      const principal = principalOf(context);
      if (all) checkRule(ADMINISTRATORS, principal);
      const found = await sessions.list(limit, all ? undefined : principal);
      return { sessions: found.map((each) => messageOf(each, principal)) };
    },

    async endSession({ id }, context) {
      const principal = principalOf(context);
      const isAdministrator = principal.scopes.has(Scope.ADMIN) && principal.sensorPrefix === "";
      const ended = await sessions.end(id || (principal.sessionId ?? ""), isAdministrator ? undefined : principal);
      if (ended === undefined) throw new TelltaleError("not_found", `There is no session ${JSON.stringify(id)}`);
      return { session: messageOf(ended, principal) };
    },

    async endSessions({ caller, keepCurrent }, context) {
      const principal = principalOf(context);
      const isOwn = caller === "";
      if (!isOwn) checkRule(ADMINISTRATORS, principal);
      const ended = await sessions.endAll(isOwn ? principal : { name: caller }, keepCurrent ? principal.sessionId : "");
      return { ended, caller: isOwn ? principal.name : caller };
    },

    async endSessionsByLogoutToken({ logoutToken }) {
      if (verifyLogout === undefined)
        throw new TelltaleError("conflict", "No identity provider is set up: OIDC_CLIENT_ID sets one");
      const logout = await verifyLogout(logoutToken);
      const ended = logout && (await sessions.endByProvider(logout));
      // One sentence for every way to be wrong, as for other credentials.
      if (ended === undefined)
        throw invalid("logout_token", "is none of the identity provider, is old, or came before");
      return { ended, caller: logout!.subject === undefined ? "" : `jwt:${logout!.subject}` };
    },
  };
}

function invalid(field: string, description: string): TelltaleError {
  return new TelltaleError("invalid", `${field} ${description}`, { violations: [{ field, description }] });
}

function messageOf(
  { id, caller, browser, begunAt, lastUsedAt, endsAt }: ConsoleSession,
  { sessionId }: Principal,
): MessageInitShape<typeof BrowserSessionSchema> {
  const times = { begunAt, lastUsedAt, endsAt };
  const stamps = Object.fromEntries(Object.entries(times).map(([name, at]) => [name, timestampFromDate(at)]));
  return { id, caller, browser, ...stamps, current: id === sessionId };
}
