/** History in bulk: the entry for tools. */
import type { Sql } from "postgres";
import type { SqlAddress } from "../postgres/connection.ts";
import { openStoreSql } from "../store/postgres.ts";

export { backtestOnSpark } from "./backtest.ts";
export { type Engine, LOCAL_BACKTEST, LOCAL_SCORER, localEngine, sparkEngine } from "./engines.ts";
export { type RescoreEvents, type RescoreWish, rescoreHistory } from "./rescore.ts";
export { forget, type RescoreRun, readRun, type ScorerSettings, scorerFrom } from "./run.ts";
export { SparkSession } from "./spark.ts";
export { switchOver } from "./switch.ts";

/** One for what is read, one for what is written, one for the rest. */
const CONNECTIONS = 3;
/** A transaction over the whole history: longer than any other that the product makes. */
const STATEMENT_TIMEOUT_MS = 6 * 3_600_000;

export function openBatchSql(address: SqlAddress): Sql {
  return openStoreSql(address, CONNECTIONS, STATEMENT_TIMEOUT_MS);
}
