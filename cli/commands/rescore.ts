import { resolve } from "node:path";
import { Command, Option } from "commander";
import { pino } from "pino";
import { openStore } from "../../server/offline.ts";
import {
  forget,
  LOCAL_SCORER,
  localEngine,
  openBatchSql,
  type RescoreRun,
  readRun,
  rescoreHistory,
  sparkEngine,
  switchOver,
} from "../../server/offline-scoring/index.ts";
import { partsProgress } from "../backtest/parts-progress.ts";
import { number } from "../errors.ts";
import { readText } from "../input.ts";
import { timeOption } from "../time.ts";

interface Options {
  readonly from?: number;
  readonly to?: number;
  readonly model?: string;
  readonly engine?: "local" | "spark";
  readonly sparkRemote?: string;
  readonly scorer: string;
  readonly tasks: number;
  readonly parts?: number;
  readonly threshold: number;
  readonly alarmsPerSensorDay: number;
  readonly runtime: string;
  readonly switch: boolean;
  readonly switchRun?: number;
  readonly forgetRun?: number;
  readonly dataDir: string;
  readonly databaseUrl?: string;
}

const whole = (min: number, max: number) => number({ min, max, integer: true });

/** `telltale rescore`: scores stored history again, beside the scores that are read, and switches over at the end. */
export function rescoreCommand(): Command {
  return new Command("rescore")
    .description(
      "score stored history again, by another model, beside the scores that are read; switch over at the end",
    )
    .option("--from <time>", "first day (UTC); default: the beginning", timeOption)
    .option(
      "--to <time>",
      "end of the last day, at the latest the last midnight (UTC), which is the default",
      timeOption,
    )
    .addOption(
      new Option("--model <file>", "model file; default: the one that comes with the program").env("MODEL_PATH"),
    )
    .addOption(
      new Option("--engine <engine>", "where the work runs; default: spark where SPARK_REMOTE is set").choices([
        "local",
        "spark",
      ]),
    )
    .addOption(new Option("--spark-remote <address>", "Spark Connect, sc://host:port").env("SPARK_REMOTE"))
    .addOption(
      new Option("--scorer <command>", "starts the scorer on Spark's workers")
        .env("SPARK_SCORER")
        .default(LOCAL_SCORER, "the one of this installation"),
    )
    .option("--tasks <n>", "tasks of a part on Spark, a scorer's process each", whole(1, 10_000), 8)
    .option("--parts <n>", "parts, each of which is done once; default: one for five million readings", whole(1, 1024))
    .addOption(
      new Option("--threshold <confidence>", "confidence from which a reading is anomalous")
        .env("MODEL_ACCURACY_THRESHOLD")
        .argParser(number({ min: 0.5, max: 0.9999 }))
        .default(0.95),
    )
    .addOption(
      new Option("--alarms-per-sensor-day <n>", "alarm budget on normal data")
        .env("ALARMS_PER_SENSOR_DAY")
        .argParser(number({ min: 1e-6, max: 1000 }))
        .default(0.1),
    )
    .addOption(
      new Option("--runtime <name>", "of the recurrent model")
        .env("SCORER_RUNTIME")
        .choices(["auto", "js", "tfjs-wasm", "tfjs-node"])
        .default("auto"),
    )
    .option("--no-switch", "leave the new scores beside the old ones")
    .option("--switch-run <n>", "only switch this run over; a second time switches back", whole(1, 2 ** 31 - 1))
    .option("--forget-run <n>", "only delete what is kept of this run", whole(1, 2 ** 31 - 1))
    .addOption(
      new Option("--data-dir <folder>", "of the embedded database; stop the platform first")
        .default(".telltale")
        .env("DATA_DIR"),
    )
    .addOption(new Option("--database-url <url>", "of another PostgreSQL; the platform may run").env("DATABASE_URL"))
    .addHelpText(
      "after",
      "\nThe same command continues a run that was interrupted. Alerts do not change: they record what people were notified of.",
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  const logger = pino({ level: "silent" });
  const databaseUrl = options.databaseUrl?.replace(/^(postgres(?:ql)?)\+\w+:/i, "$1:");
  const store = await openStore({ dataDir: resolve(options.dataDir), databaseUrl, logger });
  const sql = openBatchSql(store.address);
  try {
    if (options.forgetRun !== undefined) {
      const { id } = await readRun(sql, options.forgetRun);
      await forget(sql, [id]);
      console.log(`run ${id} is forgotten`);
    } else if (options.switchRun !== undefined) {
      await switchOver(sql, await readRun(sql, options.switchRun));
      console.log(`run ${options.switchRun} is switched over`);
    } else await score(options);
  } finally {
    await sql.end();
    await store.close();
  }

  async function score(o: Options): Promise<void> {
    const engine = o.engine ?? (o.sparkRemote === undefined ? "local" : "spark");
    const working = engine === "local" ? localEngine(sql) : sparkEngine(sparkOptions(o, databaseUrl));
    const progress = partsProgress();
    let found: RescoreRun;
    try {
      found = await rescoreHistory(
        {
          fromUs: o.from,
          untilUs: o.to,
          modelFile: o.model === undefined ? undefined : await readText(o.model),
          runtime: o.runtime === "auto" ? "js" : o.runtime,
          threshold: o.threshold,
          alarmsPerSensorDay: o.alarmsPerSensorDay,
          ...(o.parts === undefined ? {} : { parts: o.parts }),
        },
        { sql, address: store.address, engine: working, nowUs: Date.now() * 1000, events: progress, logger },
      );
    } finally {
      progress.stop();
      await working.close();
    }
    if (o.switch) await switchOver(sql, found);
    console.log(
      o.switch
        ? `switched over; telltale rescore --switch-run ${found.id} switches back`
        : `telltale rescore --switch-run ${found.id} switches over`,
    );
  }
}

function sparkOptions({ sparkRemote, scorer, tasks }: Options, databaseUrl: string | undefined) {
  if (sparkRemote === undefined) throw new Error("--engine spark needs SPARK_REMOTE, for example sc://localhost:15002");
  if (databaseUrl === undefined) {
    throw new Error("--engine spark needs DATABASE_URL: Spark's workers cannot reach an embedded database");
  }
  return { remote: sparkRemote, databaseUrl, scorer, tasks };
}
