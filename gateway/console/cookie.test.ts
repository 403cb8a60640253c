import { expect, test } from "vitest";
import { COOKIE, cookieOf, isOver, Sealer, setCookie } from "./cookie.ts";

const SESSION = { id: "s1", token: "tt_abc.secret", begunMs: 1_000, usedMs: 2_000 };
const TIMES = { idleMs: 60_000, absoluteMs: 600_000 };

test("a session comes back from its cookie, and nothing of the token can be read in it", () => {
  const sealed = new Sealer("secret").seal(SESSION);
  expect(new Sealer("secret").open(sealed)).toEqual(SESSION);
  expect(Buffer.from(sealed, "base64url").toString("latin1")).not.toContain("secret");
  expect(new Sealer("secret").seal(SESSION)).not.toBe(sealed);
});

test("what was sealed with another secret, changed or made up is nobody's", () => {
  const sealer = new Sealer("secret");
  const sealed = sealer.seal(SESSION);
  const bytes = Buffer.from(sealed, "base64url");
  for (const [at, byte] of bytes.entries()) {
    const changed = Buffer.from(bytes);
    changed[at] = byte ^ 1;
    expect(sealer.open(changed.toString("base64url"))).toBeUndefined();
  }
  expect([new Sealer("other").open(sealed), new Sealer().open(sealed)]).toEqual([undefined, undefined]);
  const other = new Sealer("secret", "another purpose");
  expect([other.open(sealed), sealer.open(other.seal({ token: "x" }))]).toEqual([undefined, undefined]);
  for (const text of ["", "x", "%", sealed.slice(0, 20)]) expect(sealer.open(text)).toBeUndefined();
});

test("a session ends when it is idle for too long, and in any case after its time", () => {
  expect(isOver(SESSION, TIMES, 61_999)).toBe(false);
  expect(isOver(SESSION, TIMES, 62_000)).toBe(true);
  expect(isOver({ ...SESSION, usedMs: 600_999 }, TIMES, 601_000)).toBe(true);
});

test("the cookie is for this site alone, and no script reads it", () => {
  const text = setCookie("v", 60_000, true);
  expect(text).toBe(`${COOKIE}=v; Path=/; Max-Age=60; HttpOnly; SameSite=Strict; Secure`);
  expect(setCookie("", 0, false)).toBe(`${COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict`);
});

test("one cookie is found among others, also where its value holds an equals sign", () => {
  expect(cookieOf(`a=1; ${COOKIE}=x=y; b=2`, COOKIE)).toBe("x=y");
  for (const header of [undefined, "", `${COOKIE}x=1`, `x${COOKIE}=1`, COOKIE])
    expect(cookieOf(header, COOKIE)).toBeUndefined();
});
