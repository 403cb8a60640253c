/** History scored again by another model: beside the scores that are read, resumable, and switched over at the end. */

import type { Logger } from "pino";
import type { Sql } from "postgres";
import { TelltaleError } from "../errors.ts";
import { DAY_US } from "../lib/time.ts";
import type { SqlAddress } from "../postgres/connection.ts";
import { startMaintenance } from "../store/maintenance.ts";
import type { Engine } from "./engines.ts";
import {
  clearPart,
  detectorOf,
  findOrStart,
  finishedParts,
  finishPart,
  type Range,
  type RescoreRun,
  type ScorerSettings,
  staleParts,
} from "./run.ts";
import { switchOver } from "./switch.ts";

/** Readings of a part: minutes of work, which is what a death in the middle costs. */
const PART_READINGS = 5_000_000;
const MOST_PARTS = 1024;
/** Late readings may come while parts are done again; after so many rounds they come faster than the work goes. */
const MOST_ROUNDS = 5;

export interface RescoreWish extends ScorerSettings {
  readonly fromUs: number | undefined;
  readonly untilUs: number | undefined;
  /** Undefined: by the number of readings. */
  readonly parts?: number;
}

export interface RescoreEvents {
  started(run: RescoreRun, done: number): void;
  /** `part` of the run is so far, 0 to 1. */
  progress(part: number, share: number): void;
  finished(part: number, readings: number): void;
}

/**
 * Whole days that lie behind: blocks do not cross midnight, and what is newer is still being written. Throws TelltaleError
 * "invalid" where none are left.
 */
export function wholeDays(fromUs: number | undefined, untilUs: number | undefined, nowUs: number): Range {
  const midnight = Math.floor(nowUs / DAY_US) * DAY_US;
  const from = Math.floor((fromUs ?? 0) / DAY_US) * DAY_US;
  const until = untilUs === undefined ? midnight : Math.ceil(untilUs / DAY_US) * DAY_US;
  const day = (us: number) => new Date(us / 1000).toISOString();
  if (until > midnight) {
    throw new TelltaleError(
      "invalid",
      `--to is in the day ${day(until - DAY_US)}, which is not over: wanted ${day(midnight)} at the latest`,
    );
  }
  if (from >= until) throw new TelltaleError("invalid", `there is no whole day from ${day(from)} to ${day(until)}`);
  return { fromUs: from, untilUs: until };
}

export interface RescoreWith {
  readonly sql: Sql;
  /** Of the same database. */
  readonly address: SqlAddress;
  readonly engine: Engine;
  readonly nowUs: number;
  readonly events: RescoreEvents;
  readonly logger: Logger;
}

/** Scores everything wanted, and answers with the run. What an earlier call for the same finished is not done again. */
export async function rescoreHistory(wish: RescoreWish, o: RescoreWith): Promise<RescoreRun> {
  const { sql, engine, nowUs, events } = o;
  const range = wholeDays(wish.fromUs, wish.untilUs, nowUs);
  const { modelVersion } = (await detectorOf(wish))();
  await moveToRest(o);
  const model = await modelNumber(sql, modelVersion);
  const run = await findOrStart(sql, range, wish, model, wish.parts ?? (await partsFor(sql)));
  const done = await finishedParts(sql, run);
  events.started(run, done.size);
  let wanted = Array.from({ length: run.parts }, (_, part) => part).filter((part) => !done.has(part));
  for (let round = 0; ; round++) {
    for (const part of wanted) {
      await clearPart(sql, run, part);
      await engine.part(run, part, (share) => events.progress(part, share));
      events.finished(part, await finishPart(sql, run, part));
    }
    // Late readings that came meanwhile are in blocks of their own until they are moved.
    await moveToRest(o);
    wanted = await staleParts(sql, run);
    if (wanted.length === 0) return run;
    if (round === MOST_ROUNDS) {
      throw new TelltaleError(
        "conflict",
        `late readings come faster than their ${wanted.length} parts are scored: try again later`,
      );
    }
  }
}

export { switchOver };

/** Puts all small blocks to rest: only those are scored again. */
async function moveToRest({ address, logger }: RescoreWith): Promise<void> {
  const maintenance = startMaintenance({ sql: address, logger, retentionDays: 0, manual: true });
  try {
    await maintenance.compactNow();
  } finally {
    await maintenance.close();
  }
}

async function modelNumber(sql: Sql, version: string): Promise<number> {
  await sql`insert into model (version) values (${version}) on conflict do nothing`;
  const [row] = await sql`select id from model where version = ${version}`;
  return row!.id as number;
}

async function partsFor(sql: Sql): Promise<number> {
  const [row] = await sql`select coalesce(sum(readings), 0)::bigint as readings from series`;
  return Math.min(MOST_PARTS, Math.max(1, Math.ceil((row!.readings as number) / PART_READINGS)));
}
