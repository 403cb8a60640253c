import { afterEach, expect, test } from "vitest";
import { dropEarly, earlyKey, takeEarly } from "./answers.ts";

const ADDRESS = "http://127.0.0.1:8000/telltale.v1.AdminService/GetCaller";
const body = new Uint8Array([10, 1, 97]);
function begin(nowMs = Date.now()): Promise<Response> {
  const answer = Promise.resolve(new Response());
  globalThis.telltaleEarly = { nowMs, answers: new Map([[earlyKey(new URL(ADDRESS).pathname, body), answer]]) };
  return answer;
}
afterEach(() => {
  globalThis.telltaleEarly = undefined;
});

test("the first call that sends the same takes the answer, and no other", () => {
  const answer = begin();
  expect(takeEarly(ADDRESS, new Uint8Array([10, 1, 98]))).toBeUndefined();
  expect(takeEarly(ADDRESS.replace("GetCaller", "ListTokens"), body)).toBeUndefined();
  expect(takeEarly(ADDRESS, body)).toBe(answer);
  expect(takeEarly(ADDRESS, body)).toBeUndefined();
});

test("an old answer, and one of who was here before, is nobody's", () => {
  begin(Date.now() - 61_000);
  expect(takeEarly(ADDRESS, body)).toBeUndefined();
  begin();
  dropEarly();
  expect(takeEarly(ADDRESS, body)).toBeUndefined();
});
