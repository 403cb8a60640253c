/** A backtest's job on its way to Spark's workers, through the database: it may be larger than a command line. */
import type { Sql } from "postgres";
import type { RangeJob } from "../backtest/jobs.ts";
import { TelltaleError } from "../errors.ts";
import type { ScorerSettings } from "./run.ts";

export interface BacktestJob {
  readonly range: RangeJob;
  readonly scorer: ScorerSettings;
}

interface Stored extends Omit<RangeJob, "config" | "toUs"> {
  /** Base64. */
  readonly config: string | null;
  /** Null: to the end. */
  readonly toUs: number | null;
}

export async function saveJob(sql: Sql, { range, scorer }: BacktestJob): Promise<number> {
  const { config, toUs, ...rest } = range;
  const stored: Stored = {
    ...rest,
    config: config === undefined ? null : Buffer.from(config).toString("base64"),
    toUs: Number.isFinite(toUs) ? toUs : null,
  };
  await sql`delete from batch_job where made_at < now() - interval '1 day'`;
  const [row] =
    await sql`insert into batch_job (job) values (${JSON.stringify({ range: stored, scorer })}::text::jsonb) returning id`;
  return row!.id as number;
}

/** Rejects with TelltaleError "not_found". */
export async function readJob(sql: Sql, id: number): Promise<BacktestJob> {
  const [row] = await sql`select job::text from batch_job where id = ${id}`;
  if (row === undefined) throw new TelltaleError("not_found", `there is no backtest ${id}`);
  const { range, scorer } = JSON.parse(row.job as string) as { range: Stored; scorer: ScorerSettings };
  const { config, toUs, ...rest } = range;
  return {
    scorer,
    range: {
      ...rest,
      threshold: range.threshold,
      config: config === null ? undefined : Buffer.from(config, "base64"),
      toUs: toUs ?? Number.POSITIVE_INFINITY,
    },
  };
}

export async function deleteJob(sql: Sql, id: number): Promise<void> {
  await sql`delete from batch_job where id = ${id}`;
}
