/** A thread with one job: whatever it costs, the listeners keep answering. Ending the thread ends the job. */
import { parentPort, workerData } from "node:worker_threads";
import { createScorer } from "../detect/model/scorer.ts";
import { TelltaleError } from "../errors.ts";
import { createLogger } from "../observe/logger.ts";
import { openStoreSql } from "../store/postgres.ts";
import { runExplain, runLabel } from "./explain.ts";
import { runForecast } from "./forecast.ts";
import { History } from "./history.ts";
import { type FromThread, type Preview, type ThreadData, WAITING_RESPONSES } from "./jobs.ts";
import { runPreview } from "./preview.ts";
import { runRange } from "./range.ts";

/** A page of a very long history takes long to sort; past this the database is taken for stuck. */
const STATEMENT_TIMEOUT_MS = 120_000;

const { job, ...data } = workerData as ThreadData;
const port = parentPort!;
const logger = createLogger({ level: data.logLevel }).child({ part: "backtest" });
const say = (message: FromThread) => port.postMessage(message);

/** Responses that nobody has taken yet. */
let waiting = 0;
let taken: (() => void) | undefined;
port.on("message", () => {
  waiting--;
  taken?.();
});

async function respond(bytes: Uint8Array): Promise<void> {
  while (waiting >= WAITING_RESPONSES) {
    await new Promise<void>((resolve) => {
      taken = resolve;
    });
  }
  waiting++;
  say({ kind: "response", bytes });
}

const sql = openStoreSql(data.address, 2, STATEMENT_TIMEOUT_MS);
try {
  const threshold = (job.kind === "range" ? job.threshold : undefined) ?? data.threshold;
  const { createDetector } = await createScorer({ ...data, threshold });
  const history = new History(sql);
  if (job.kind === "range") await runRange({ history, job, createDetector, respond });
  else if (job.kind === "explain") {
    say({ kind: "explained", result: await runExplain({ history, job, createDetector }) });
  } else if (job.kind === "forecast") {
    say({ kind: "forecast", result: await runForecast({ history, job, createDetector }) });
  } else if (job.kind === "preview") {
    const onProgress = (result: Preview) => say({ kind: "preview", result });
    onProgress(await runPreview({ history, job, createDetector, now: Date.now, onProgress }));
  } else say({ kind: "effect", result: await runLabel({ history, job, createDetector }) });
} catch (error) {
  if (!(error instanceof TelltaleError) || (error.kind !== "invalid" && error.kind !== "exhausted")) {
    logger.error({ err: error }, "a backtest failed");
    throw error;
  }
  say({ kind: "refused", error: error.kind, message: error.message });
} finally {
  await sql.end({ timeout: 5 });
  port.close();
}
