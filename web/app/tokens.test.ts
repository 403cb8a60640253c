import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { Scope, TokenSchema } from "../../gen/web/telltale/v1/admin_pb.ts";
import { SCOPES, scopeName, tokenState } from "./tokens.ts";

test("each scope has a name, and one of a newer platform is not taken for another", () => {
  const known = Object.values(Scope).filter((each) => typeof each === "number" && each !== Scope.UNSPECIFIED);
  expect(SCOPES.map(({ scope }) => scope).sort()).toEqual(known.sort());
  expect([Scope.ADMIN, 99 as Scope].map(scopeName)).toEqual(["admin", "unknown"]);
});

test("a token is valid until it expires or is revoked", () => {
  const at = (seconds: number) => ({ seconds: BigInt(seconds), nanos: 0 });
  const token = create(TokenSchema, { expiresAt: at(10) });
  expect([9_999, 10_000].map((ms) => tokenState(token, ms))).toEqual(["valid", "expired"]);
  expect(tokenState(create(TokenSchema, {}), 1e15)).toBe("valid");
  expect(tokenState(create(TokenSchema, { revokedAt: at(1), expiresAt: at(2) }), 5_000)).toBe("revoked");
});
