import { expect, test } from "vitest";
import { SESSION_HEADER } from "../../formats/console-page.ts";
import { FirstAnswerStore } from "./first-answers.ts";

const PATH = "/telltale.v1.AlertService/ListAlerts";
const REQUEST = Uint8Array.of(8, 1);
const OTHER = Uint8Array.of(8, 2);

function storeOf(session?: string) {
  const answer = (request: Uint8Array, text: string) => ({
    ...{ path: PATH, type: "application/proto" as const },
    ...{ request: Buffer.from(request).toString("base64"), answer: Buffer.from(text).toString("base64") },
  });
  const answers = [answer(REQUEST, "open"), answer(OTHER, "others")];
  return new FirstAnswerStore(session === undefined ? { answers } : { session, answers });
}

test("a call takes its answer once, and no call takes that of another", async () => {
  const store = storeOf("s1");
  expect(store.take(PATH, Uint8Array.of(8, 3), "s1")).toBeUndefined();
  const answer = store.take(PATH, REQUEST, "s1")!;
  expect([await answer.text(), answer.headers.get(SESSION_HEADER)]).toEqual(["open", "s1"]);
  expect(store.take(PATH, REQUEST, "s1")).toBeUndefined();
  expect(await store.take(PATH, OTHER, "s1")!.text()).toBe("others");
});

test("what was answered in one session is nothing for a call of another", async () => {
  const store = storeOf("s1");
  expect(store.take(PATH, REQUEST, "s2")).toBeUndefined();
  expect(store.take(PATH, REQUEST, "")).toBeUndefined();
  expect(storeOf().take(PATH, REQUEST, "s2")).toBeUndefined();
  // A call that finds out whose session it is.
  expect((await store.take(PATH, REQUEST))!.headers.get(SESSION_HEADER)).toBe("s1");
});

test("where nobody signs in, the answers are everybody's", async () => {
  const answer = storeOf().take(PATH, REQUEST, "")!;
  expect([await answer.text(), answer.headers.get(SESSION_HEADER)]).toEqual(["open", null]);
});

test("what is left can be forgotten", () => {
  const store = storeOf();
  store.forget();
  expect(store.take(PATH, REQUEST, "")).toBeUndefined();
});
