/** Tokens as a person reads them. */
import { Scope, type Token } from "../../gen/web/telltale/v1/admin_pb.ts";
import { msOf } from "./format.ts";

export const SCOPES = [
  { scope: Scope.INGEST, name: "ingest", what: "send readings, as a device does" },
  { scope: Scope.READ, name: "read", what: "see sensors, readings and alerts" },
  { scope: Scope.OPERATE, name: "operate", what: "acknowledge, resolve, label, silence, change sensors and settings" },
  { scope: Scope.ADMIN, name: "admin", what: "everything, tokens and notifications too" },
] as const;

export function scopeName(scope: Scope): string {
  return SCOPES.find((each) => each.scope === scope)?.name ?? "unknown";
}

export type TokenState = "valid" | "expired" | "revoked";

export function tokenState({ revokedAt, expiresAt }: Token, nowMs: number): TokenState {
  if (revokedAt !== undefined) return "revoked";
  return expiresAt !== undefined && msOf(expiresAt) <= nowMs ? "expired" : "valid";
}
