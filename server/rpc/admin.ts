import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { AdminService } from "../../gen/es/telltale/v1/admin_pb.ts";
import type { Clock } from "../clock.ts";
import { TelltaleError } from "../errors.ts";
import type { Audit } from "../security/audit.ts";
import type { TokenRecord, Tokens } from "../security/tokens.ts";

const defaultEvents = 100;

/** Tokens and the record of who did what. */
export function createAdminService(parts: {
  tokens: Tokens;
  audit: Audit;
  clock: Clock;
}): ServiceImpl<typeof AdminService> {
  const { tokens, audit, clock } = parts;
  return {
    async createToken({ token }) {
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

    async listTokens() {
      return { tokens: (await tokens.list()).map(toMessage) };
    },

    async revokeToken({ id }) {
      const record = await tokens.revoke(id);
      if (record === undefined) throw new TelltaleError("not_found", `There is no token ${JSON.stringify(id)}`);
      return { token: toMessage(record) };
    },

    async listAuditEvents({ limit, beforeId }) {
      const rows = await audit.list(limit ?? defaultEvents, Number(beforeId));
      return { events: rows.map((row) => ({ ...row, id: BigInt(row.id), at: timestampFromDate(row.at) })) };
    },
  };
}

function toMessage(record: TokenRecord) {
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
