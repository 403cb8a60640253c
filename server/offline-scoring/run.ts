/** A rescoring as the store knows it: what is wanted, which parts are done, and the scorer it is done with. */
import { readFile } from "node:fs/promises";
import type { Sql } from "postgres";
import { loadConfig } from "../config.ts";
import {
  createDetector,
  type Detector,
  defaultModel,
  KernelTrunk,
  parseModel,
  type TrunkRuntime,
} from "../detect/index.ts";
import { TfjsTrunk } from "../detect/model/forecaster-tfjs.ts";
import type { Environment } from "../environment.ts";
import { TelltaleError } from "../errors.ts";
import { numbers } from "../store/series.ts";

/** What decides a score beside the log. */
export interface ScorerSettings {
  /** The model's file, undefined for the one that comes with the program. */
  readonly modelFile: string | undefined;
  /** js, tfjs-wasm or tfjs-node. */
  readonly runtime: string;
  readonly threshold: number;
  readonly alarmsPerSensorDay: number;
}

/** Those of a platform with this environment. */
export async function scorerFrom(environment: Environment): Promise<ScorerSettings> {
  const { modelPath, scorerRuntime, modelAccuracyThreshold, alarmsPerSensorDay } = loadConfig(environment);
  return {
    modelFile: modelPath === undefined ? undefined : await readFile(modelPath, "utf8"),
    runtime: scorerRuntime === "auto" ? "js" : scorerRuntime,
    threshold: modelAccuracyThreshold,
    alarmsPerSensorDay,
  };
}

/** Half-open, microseconds; whole days (UTC). */
export interface Range {
  readonly fromUs: number;
  readonly untilUs: number;
}

export interface RescoreRun extends ScorerSettings, Range {
  readonly id: number;
  /** Number of the model version in the store. */
  readonly model: number;
  readonly parts: number;
  readonly switched: boolean;
}

/** Detectors as the settings want them. Throws where the model is none. */
export async function detectorOf(settings: ScorerSettings): Promise<() => Detector> {
  const model = settings.modelFile === undefined ? defaultModel : parseModel(JSON.parse(settings.modelFile));
  const { runtime, threshold, alarmsPerSensorDay } = settings;
  const trunk: TrunkRuntime =
    runtime === "tfjs-wasm" || runtime === "tfjs-node" ? await TfjsTrunk.load(runtime, model) : new KernelTrunk(model);
  return () => createDetector({ threshold, alarmsPerSensorDay }, trunk);
}

/** The unfinished run of the same wishes, or a new one. */
export async function findOrStart(
  sql: Sql,
  range: Range,
  settings: ScorerSettings,
  model: number,
  parts: number,
): Promise<RescoreRun> {
  const { modelFile = null, runtime, threshold, alarmsPerSensorDay } = settings;
  const [known] = await sql`select * from rescore_run where switched_at is null and from_us = ${range.fromUs}
    and until_us = ${range.untilUs} and model = ${model} and model_file is not distinct from ${modelFile}
    and runtime = ${runtime} and threshold = ${threshold} and alarms_per_sensor_day = ${alarmsPerSensorDay}
    order by id desc limit 1`;
  if (known !== undefined) return runOf(known);
  const [made] = await sql`insert into rescore_run
    (from_us, until_us, model, model_file, runtime, threshold, alarms_per_sensor_day, parts)
    values (${range.fromUs}, ${range.untilUs}, ${model}, ${modelFile}, ${runtime}, ${threshold}, ${alarmsPerSensorDay}, ${parts})
    returning *`;
  return runOf(made!);
}

/** Rejects with TelltaleError "not_found". */
export async function readRun(sql: Sql, id: number): Promise<RescoreRun> {
  const [row] = await sql`select * from rescore_run where id = ${id}`;
  if (row === undefined) throw new TelltaleError("not_found", `there is no rescoring ${id}`);
  return runOf(row);
}

function runOf(row: Record<string, unknown>): RescoreRun {
  return {
    id: row.id as number,
    fromUs: row.from_us as number,
    untilUs: row.until_us as number,
    model: row.model as number,
    modelFile: (row.model_file as string | null) ?? undefined,
    runtime: row.runtime as string,
    threshold: row.threshold as number,
    alarmsPerSensorDay: row.alarms_per_sensor_day as number,
    parts: row.parts as number,
    switched: row.switched_at !== null,
  };
}

/** Parts that are finished. */
export async function finishedParts(sql: Sql, run: RescoreRun): Promise<Set<number>> {
  const rows = await sql`select part from rescore_part where run = ${run.id}`;
  return new Set(rows.map((row) => row.part as number));
}

/** Forgets what is there of the part: it is done from its beginning. */
export async function clearPart(sql: Sql, run: RescoreRun, part: number): Promise<void> {
  await sql`delete from rescored_block where run = ${run.id} and part = ${part}`;
  await sql`delete from rescore_part where run = ${run.id} and part = ${part}`;
}

/** Notes that the part is there, without sensors that were deleted while it was done, and answers with its readings. */
export async function finishPart(sql: Sql, run: RescoreRun, part: number): Promise<number> {
  await sql`delete from rescored_block r where run = ${run.id} and part = ${part}
    and not exists (select from series s where s.id = r.series)`;
  const [row] = await sql`insert into rescore_part (run, part, readings, anomalies)
    select ${run.id}, ${part}, coalesce(sum(points), 0), coalesce(sum(anomalies), 0)
    from rescored_block where run = ${run.id} and part = ${part} returning readings`;
  return row!.readings as number;
}

/**
 * Parts in which a wanted block is not there with new scores, or not as it is now: late readings have come, or it is not done yet.
 */
export async function staleParts(sql: Sql, run: RescoreRun): Promise<number[]> {
  const rows = await sql`
    select distinct rescore_part_of(sensor_key(s.sensor_id), ${run.parts}) as part
    from block b join series s on s.id = b.series
    left join rescored_block r on r.run = ${run.id} and r.series = b.series and r.first_us = b.first_us
    where b.first_us >= ${run.fromUs} and b.first_us < ${run.untilUs}
      and (r.last_us = b.last_us and r.points = b.points) is not true`;
  return rows.map((row) => row.part as number).sort((a, b) => a - b);
}

/** The rows of a part for the scorer, as SQL: those that `SourceBlock` has, in no order. Sensors have their keys: those of the log. */
export function sourceSql(run: RescoreRun, part: number): string {
  return `select s.partition, sensor_key(s.sensor_id) as sensor_id, b.series,
      json_build_object('sensorId', sensor_key(s.sensor_id), 'sensorType', s.sensor_type, 'unit', s.unit, 'location', s.location)::text
        as series_json,
      b.first_us, b.last_us, b.first_id, b.points::int as points, (b.first_us >= ${run.fromUs})::int as wanted, b.data
    from series s join block b on b.series = s.id
    where rescore_part_of(sensor_key(s.sensor_id), ${run.parts}) = ${part} and b.first_us < ${run.untilUs}
      and exists (select from series o where o.sensor_id = s.sensor_id and o.newest_us >= ${run.fromUs})`;
}

/** Deletes runs with their blocks. */
export async function forget(sql: Sql, ids: readonly number[]): Promise<void> {
  await sql`delete from rescore_run where id = any(${numbers(ids)}::int[])`;
}
