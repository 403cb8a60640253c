import { getEventListeners } from "node:events";
import { createContextValues, type StreamRequest, type StreamResponse } from "@connectrpc/connect";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { manualClock } from "../../clock.ts";
import { silentLogger } from "../../observe/logger.ts";
import { anonymous, type Principal } from "../../security/principal.ts";
import { createSessions, type Sessions } from "../../security/sessions.ts";
import { principalKey } from "../principal.ts";
import { sessionsInterceptor } from "./sessions.ts";

/** One round of looking whether tokens are still valid. */
const ROUND_MS = 2_000;
const CALLS = 100;

let sessions: Sessions;
let valid: boolean;
/** Looks of the last round: one for each principal with an open call. */
let looks: number;

beforeEach(() => {
  vi.useFakeTimers();
  [valid, looks] = [true, 0];
  const stillValid = async () => ++looks > 0 && valid;
  const parts = { tokens: { stillValid }, consoleSessions: { isOpen: stillValid } };
  sessions = createSessions({ ...parts, clock: manualClock(1_000_000_000), logger: silentLogger() });
});
afterEach(() => {
  sessions.close();
  vi.useRealTimers();
});

async function round(): Promise<number> {
  looks = 0;
  await vi.advanceTimersByTimeAsync(ROUND_MS);
  return looks;
}

type Messages = (signal: AbortSignal) => AsyncIterable<number>;

/** A long call of a principal of its own, through the interceptor. */
async function open(messages: Messages, principal: Partial<Principal> = { tokenId: "t" }) {
  const caller = new AbortController();
  const contextValues = createContextValues();
  contextValues.set(principalKey, { ...anonymous, ...principal });
  const request = { stream: true, contextValues, signal: caller.signal } as unknown as StreamRequest;
  const next = async ({ signal }: { signal: AbortSignal }) =>
    ({ stream: true, message: messages(signal) }) as unknown as StreamResponse;
  const response = await sessionsInterceptor(sessions)(next as never)(request);
  return { caller, answers: (response.message as unknown as AsyncIterable<number>)[Symbol.asyncIterator]() };
}

/** Answers once and goes on until its signal aborts. */
const endless: Messages = async function* (signal) {
  yield 1;
  await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
};

const endings: Record<string, () => Promise<AbortSignal>> = {
  "is done": async () => {
    const { caller, answers } = await open(async function* () {
      yield 1;
    });
    await answers.next();
    expect((await answers.next()).done).toBe(true);
    return caller.signal;
  },
  "fails in the middle": async () => {
    const { caller, answers } = await open(async function* () {
      yield 1;
      throw new Error("broken");
    });
    await answers.next();
    await expect(answers.next()).rejects.toThrow("broken");
    return caller.signal;
  },
  "is given up by its reader between two answers": async () => {
    const { caller, answers } = await open(endless);
    await answers.next();
    await answers.return?.();
    return caller.signal;
  },
  "is cancelled while it waits": async () => {
    const { caller, answers } = await open(endless);
    await answers.next();
    const waiting = answers.next();
    caller.abort(new Error("gone"));
    await expect(waiting).rejects.toThrow("gone");
    return caller.signal;
  },
  "is cancelled before its first answer is asked for": async () => {
    const { caller } = await open(endless);
    caller.abort(new Error("gone"));
    return caller.signal;
  },
  "is refused before it begins": async () => {
    const refuses: Messages = () => {
      throw new Error("no room");
    };
    const caller = new AbortController();
    const contextValues = createContextValues();
    contextValues.set(principalKey, { ...anonymous, tokenId: "t" });
    const request = { stream: true, contextValues, signal: caller.signal } as unknown as StreamRequest;
    const call = sessionsInterceptor(sessions)((async () => refuses(caller.signal)) as never)(request);
    await expect(call).rejects.toThrow("no room");
    return caller.signal;
  },
  "was cancelled before it came": async () => {
    const contextValues = createContextValues();
    contextValues.set(principalKey, { ...anonymous, tokenId: "t" });
    const request = { stream: true, contextValues, signal: AbortSignal.abort() } as unknown as StreamRequest;
    const next = async () => ({ stream: true, message: endless(request.signal) });
    await sessionsInterceptor(sessions)(next as never)(request);
    return request.signal;
  },
};

test.each(Object.entries(endings))("a long call that %s leaves nothing behind", async (_, ending) => {
  for (let call = 0; call < CALLS; call++) {
    expect(getEventListeners(await ending(), "abort")).toHaveLength(0);
  }
  expect(await round(), "no token is looked at any more").toBe(0);
});

test("calls that go on are looked at, and end with their token, each with the reason", async () => {
  const calls = await Promise.all([open(endless), open(endless)]);
  for (const { answers } of calls) await answers.next();
  const waiting = calls.map(({ answers }) => answers.next());
  expect(await round()).toBe(2);
  valid = false;
  const ended = Promise.all(
    waiting.map((each) => expect(each).rejects.toThrow("The token has expired or was revoked")),
  );
  await round();
  await ended;
  for (const { caller } of calls) expect(getEventListeners(caller.signal, "abort")).toHaveLength(0);
  expect(await round()).toBe(0);
});

test("a credential with an end by the clock ends its calls without any look", async () => {
  const { answers } = await open(endless, { expiresAtMs: 1 });
  await answers.next();
  const waiting = expect(answers.next()).rejects.toThrow("expired");
  expect(await round()).toBe(0);
  await waiting;
});
