import { pino } from "pino";
import postgres from "postgres";
import { afterEach, expect, test, vi } from "vitest";
import { startPostgres } from "../../testing/postgres.ts";
import { DatabaseSpace, tryRoom } from "./database-space.ts";

const logger = pino({ level: "silent" });
const failure = (code: string) => Object.assign(new Error(code), { code });
const eventually = (look: () => void) => vi.waitFor(look, { timeout: 20_000, interval: 5 });

let space: DatabaseSpace;
afterEach(() => space.close());

/** Trials end as told, each with the moment at which it was made. */
function scripted(ends: (string | undefined)[], waits = { firstMs: 10, mostMs: 40 }) {
  const at: number[] = [];
  const tryRoom = async () => {
    at.push(performance.now());
    const code = ends.shift();
    if (code !== undefined) throw failure(code);
  };
  space = new DatabaseSpace({ logger, tryRoom, waits });
  return { at, ends };
}

test("a write that is refused for want of room closes, further ones start no second row of trials, and a trial that succeeds opens", async () => {
  const { at } = scripted(["53100", "25006", "ECONNREFUSED", undefined]);
  space.refused(failure("22003"));
  expect(space.full).toBeUndefined();
  for (let i = 0; i < 3; i++) space.refused(failure("53100"));
  expect(space.full).toContain("53100");
  await eventually(() => expect(at).toHaveLength(2));
  await eventually(() => expect(space.full).toBeUndefined());
  expect(at).toHaveLength(4);
});

test("trials come more rarely the longer there is no room", async () => {
  const { at } = scripted(["53100", "53100", "53100", "53100"]);
  const begun = performance.now();
  space.refused(failure("53100"));
  await eventually(() => expect(space.full).toBeUndefined());
  const waits = at.map((t, i) => t - (at[i - 1] ?? begun));
  // Timers are never early by more than the millisecond in which they count.
  expect(waits.map((ms, i) => ms >= [10, 20, 40, 40, 40][i]! - 1)).toEqual([true, true, true, true, true]);
});

test("a trial that fails for another reason than room keeps nobody out", async () => {
  const { at } = scripted(["42501", "42501", undefined], { firstMs: 10, mostMs: 60_000 });
  space.refused(failure("53100"));
  await eventually(() => expect(space.full).toBeUndefined());
  // Refused again soon: the next trial waits longer, although there was none that said anything.
  const refusedAt = performance.now();
  space.refused(failure("53100"));
  expect(space.full).toContain("53100");
  await eventually(() => expect(space.full).toBeUndefined());
  expect(at[1]! - refusedAt).toBeGreaterThan(19);
});

test("a refusal at the very moment at which a trial succeeds closes again, and does not stay", async () => {
  const trials: PromiseWithResolvers<void>[] = [];
  const tryRoom = () => {
    const trial = Promise.withResolvers<void>();
    trials.push(trial);
    return trial.promise;
  };
  space = new DatabaseSpace({ logger, tryRoom, waits: { firstMs: 1, mostMs: 1 } });
  space.refused(failure("53100"));
  for (let turns = 0; turns < 8; turns++) {
    await eventually(() => expect(trials).toHaveLength(turns + 1));
    trials[turns]!.resolve();
    // So many turns of the queue of promises later.
    for (let i = 0; i < turns; i++) await undefined;
    space.refused(failure("53100"));
    if (space.full === undefined) throw new Error("a refusal does not close");
    // What the trial said may come after it.
    for (let i = 0; i < 10; i++) await undefined;
    space.refused(failure("53100"));
  }
  await eventually(() => expect(trials).toHaveLength(9));
  trials[8]!.resolve();
  await eventually(() => expect(space.full).toBeUndefined());
});

test("a user who may make no temporary tables is let in again", async () => {
  const server = await startPostgres();
  const admin = postgres(server.url, { max: 1 });
  await admin.unsafe("create role plain login password 'plain'");
  const { database } = admin.options;
  await admin.unsafe(`revoke temporary on database ${database} from public`);
  const url = new URL(server.url);
  Object.assign(url, { username: "plain", password: "plain" });
  const sql = postgres(url.href, { max: 1 });
  try {
    await expect(tryRoom(sql)).rejects.toMatchObject({ code: "42501" });
    await expect(tryRoom(admin)).resolves.toBeUndefined();
    space = new DatabaseSpace({ logger, tryRoom: () => tryRoom(sql), waits: { firstMs: 10, mostMs: 10 } });
    space.refused(failure("25006"));
    await eventually(() => expect(space.full).toBeUndefined());
  } finally {
    await sql.end();
    await admin.end();
    await server.stop();
  }
}, 60_000);
