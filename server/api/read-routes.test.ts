import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type Listener, openListener } from "../../testing/rpc.ts";
import { anonymous } from "../security/principal.ts";

const MEMORY_BYTES = 100_000;
const PATH = "/test/read";
/** What the API does with a request. */
let answer = async () => ({ status: 204 });
let listener: Listener;

beforeAll(async () => {
  const api = {
    name: "test",
    paths: [{ path: PATH, method: "POST" }],
    answer: () => answer(),
    refuse: ({ status, message }: { status: number; message: string }) => ({ status, body: message }),
  };
  const access = { authorize: async () => anonymous, forwarding: { read: () => undefined } };
  listener = await openListener({ reads: { apis: [api], access, quota: undefined, memoryBytes: MEMORY_BYTES } });
});
afterAll(() => listener.close(0));

test("bodies of queries share some memory until they are answered; what finds no room is to come again", async () => {
  const post = (bytes: number) => fetch(listener.url + PATH, { method: "POST", body: "x".repeat(bytes) });
  const [taken, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  answer = async () => {
    taken.resolve();
    await answered.promise;
    return { status: 204 };
  };
  const first = post(0.6 * MEMORY_BYTES);
  await taken.promise;
  answer = async () => ({ status: 204 });
  const second = await post(0.6 * MEMORY_BYTES);
  expect([second.status, second.headers.get("retry-after")]).toEqual([503, "1"]);
  expect(await second.text()).toMatch(/take all the memory/);
  expect((await post(100)).status).toBe(204);
  answered.resolve();
  expect((await first).status).toBe(204);
  await vi.waitFor(async () => expect((await post(0.6 * MEMORY_BYTES)).status).toBe(204), { timeout: 30_000 });
});
