import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { type AdminService, AuditEventSchema, TokenSchema } from "../../gen/es/telltale/v1/admin_pb.ts";
import type { Clock } from "../clock.ts";
import { TelltaleError } from "../errors.ts";
import type { Audit, AuditRow } from "../security/audit.ts";
import type { ConsoleSessions } from "../security/console-sessions.ts";
import type { LogoutVerifier } from "../security/logout-token.ts";
import type { TokenRecord, Tokens } from "../security/tokens.ts";
import { createSessionMethods } from "./console-sessions.ts";
import { readPageToken, readTextPageToken } from "./page-token.ts";
import { FRAME_BYTES, page } from "./pages.ts";
import { principalOf } from "./principal.ts";
import type { QuarantineMethods } from "./quarantine.ts";

const defaultEvents = 100;
const defaultTokens = 1000;
/** These lists have no filters. */
const OF_TOKENS = { list: "tokens" };
const OF_EVENTS = { list: "audit events" };

/** Whoever reaches the platform then has all rights: a token would keep them for the time after. */
const NO_TOKENS =
  "No token is made while AUTH is off, because anybody could make it: set AUTH=on and make it with the administrator's token";

/** Tokens and the record of who did what. */
export function createAdminService(parts: {
  tokens: Tokens;
  consoleSessions: ConsoleSessions;
  verifyLogout: LogoutVerifier | undefined;
  audit: Audit;
  clock: Clock;
  quarantine: QuarantineMethods;
  /** Whether callers have to say who they are. */
  auth: boolean;
}): ServiceImpl<typeof AdminService> {
  const { tokens, audit, clock, auth } = parts;
  return {
    ...parts.quarantine,
    ...createSessionMethods(parts.consoleSessions, parts.verifyLogout, auth),

    async getCaller(_, context) {
      const { name, scopes, sensorPrefix } = principalOf(context);
      return { name, scopes: [...scopes], sensorPrefix, authenticated: auth };
    },

    async createToken({ token }) {
      if (!auth) throw new TelltaleError("conflict", NO_TOKENS);
      // The contract's rules have checked that there is a token, with a name and scopes.
      const { name = "", scopes = [], sensorPrefix = "", expiresAt } = token ?? {};
      const ends = expiresAt === undefined ? undefined : timestampDate(expiresAt);
      if (ends !== undefined && !(ends.getTime() > clock.nowUs() / 1_000)) {
        const description = "must be in the future: it would never be valid";
        throw new TelltaleError("invalid", `token.expires_at ${description}`, {
          violations: [{ field: "token.expires_at", description }],
        });
      }
      const made = await tokens.create({ name, scopes: new Set(scopes), sensorPrefix, expiresAt: ends });
      return { token: toMessage(made.record), secret: made.secret };
    },

    async listTokens({ limit = defaultTokens, pageToken }, context) {
      const after = readTextPageToken(pageToken, OF_TOKENS);
      const rows = limit === 0 ? [] : await tokens.list(limit + 1, after);
      const bytesOf = (token: TokenMessage) => toBinary(TokenSchema, create(TokenSchema, token)).length + FRAME_BYTES;
      const placeOf = ({ createdUs, id }: TokenRecord) => ({ timeUs: createdUs, id });
      const list = { rows, limit, toItem: toMessage, bytesOf, placeOf, filters: OF_TOKENS };
      const { items, nextPageToken } = page(list, context);
      return { tokens: items, nextPageToken };
    },

    async revokeToken({ id }) {
      const record = await tokens.revoke(id);
      if (record === undefined) throw new TelltaleError("not_found", `There is no token ${JSON.stringify(id)}`);
      return { token: toMessage(record) };
    },

    async listAuditEvents({ limit = defaultEvents, beforeId, pageToken }, context) {
      const before = readPageToken(pageToken, OF_EVENTS)?.id ?? Number(beforeId);
      const rows = limit === 0 ? [] : await audit.list(limit + 1, before);
      const bytesOf = (event: EventMessage) =>
        toBinary(AuditEventSchema, create(AuditEventSchema, event)).length + FRAME_BYTES;
      const placeOf = ({ id }: AuditRow) => ({ timeUs: 0, id });
      const list = { rows, limit, toItem: eventOf, bytesOf, placeOf, filters: OF_EVENTS };
      const { items, nextPageToken } = page(list, context);
      return { events: items, nextPageToken };
    },
  };
}

type TokenMessage = MessageInitShape<typeof TokenSchema>;
type EventMessage = MessageInitShape<typeof AuditEventSchema>;

function eventOf(row: AuditRow): EventMessage {
  return { ...row, id: BigInt(row.id), at: timestampFromDate(row.at) };
}

function toMessage(record: TokenRecord): TokenMessage {
  const { id, name, scopes, sensorPrefix, createdAt, expiresAt, lastUsedAt, revokedAt } = record;
  return {
    id,
    name,
    scopes: [...scopes],
    sensorPrefix,
    createdAt: timestampFromDate(createdAt),
    ...(expiresAt && { expiresAt: timestampFromDate(expiresAt) }),
    ...(lastUsedAt && { lastUsedAt: timestampFromDate(lastUsedAt) }),
    ...(revokedAt && { revokedAt: timestampFromDate(revokedAt) }),
  };
}
