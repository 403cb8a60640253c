import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SingleBar } from "cli-progress";
import { Command } from "commander";
import { parseSeries } from "../../ml/series.ts";
import {
  DEFAULT_TRAINING,
  modelFile,
  SHORTEST_HISTORY,
  type Trained,
  type TrainOptions,
  trainTrunk,
} from "../../ml/train.ts";
import { number } from "../errors.ts";

/** Sizes that --search tries, smallest first: the cost of a reading grows with the square. */
const SEARCH_UNITS = [4, 8, 12, 16];
/** A larger model must be better on held-out series by this share to be worth its cost. */
const WORTHWHILE = 0.01;

interface Options {
  readonly data?: string;
  readonly out: string;
  readonly seed: number;
  readonly units: number;
  readonly steps: number;
  readonly search?: boolean;
}

/** `telltale train`: trains the recurrent model from a seed, on simulated series and one's own. */
export function trainCommand(): Command {
  return new Command("train")
    .description("train the recurrent model from a seed; MODEL_PATH then takes the file written")
    .requiredOption("-o, --out <file>", "model file to write")
    .option(
      "--data <path>",
      "a CSV or a folder of them: half of the training is on these series, their last fifth is held out",
    )
    .option("--seed <n>", "seed", number({ min: 0, max: 2 ** 31 - 1, integer: true }), DEFAULT_TRAINING.seed)
    .option("--units <n>", "size of the LSTM", number({ min: 1, max: 16, integer: true }), DEFAULT_TRAINING.units)
    .option("--steps <n>", "training steps", number({ min: 1, max: 100_000, integer: true }), DEFAULT_TRAINING.steps)
    .option(
      "--search",
      `try ${SEARCH_UNITS.join(", ")} units and keep the smallest within ${100 * WORTHWHILE} % of the best on held-out series`,
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  const { seed, steps } = options;
  const history = options.data === undefined ? undefined : await readHistory(options.data);
  const sizes = options.search ? SEARCH_UNITS : [options.units];
  const candidates: { options: TrainOptions; trained: Trained; loss: number }[] = [];
  for (const units of sizes) {
    const wanted: TrainOptions = history === undefined ? { seed, units, steps } : { seed, units, steps, history };
    const trained = await trainOne(wanted);
    const loss = heldOutLoss(trained);
    candidates.push({ options: wanted, trained, loss });
    console.log(`${units} units: held-out loss ${loss.toFixed(5)}`);
  }
  const best = Math.min(...candidates.map((c) => c.loss));
  const chosen = candidates.find((c) => c.loss <= best * (1 + WORTHWHILE))!;
  console.table(chosen.trained.heldOut);
  await writeFile(options.out, modelFile(chosen.trained, chosen.options));
  console.log(`${chosen.options.units} units → ${options.out}`);
}

async function trainOne(options: TrainOptions): Promise<Trained> {
  const bar = new SingleBar({
    format: `{bar} {percentage}% | ${options.units} units | loss {loss}`,
    stream: process.stderr,
  });
  if (process.stderr.isTTY) bar.start(options.steps, 0, { loss: "" });
  try {
    return await trainTrunk({
      ...options,
      progress: (step, _steps, loss) => bar.update(step + 1, { loss: loss.toFixed(4) }),
    });
  } finally {
    bar.stop();
  }
}

/** On the user's own series where there are some, else the mean over the simulated kinds. */
function heldOutLoss(trained: Trained): number {
  const own = trained.heldOut.history;
  if (own !== undefined) return own.model;
  const all = Object.values(trained.heldOut);
  return all.reduce((sum, kind) => sum + kind.model, 0) / all.length;
}

async function readHistory(path: string): Promise<Float64Array[]> {
  const folder = (await stat(path)).isDirectory();
  const names = folder
    ? (await readdir(path, { recursive: true })).filter((name) => name.endsWith(".csv")).sort()
    : [""];
  const history: Float64Array[] = [];
  for (const name of names) {
    const file = folder ? join(path, name) : path;
    const values = parseSeries(await readFile(file, "utf8")).value.filter((value) => !Number.isNaN(value));
    if (values.length >= SHORTEST_HISTORY) history.push(values);
    else console.error(`${file}: ${values.length} readings, left out (wanted ${SHORTEST_HISTORY} or more)`);
  }
  if (history.length === 0) throw new Error(`${path} holds no series of ${SHORTEST_HISTORY} readings or more`);
  return history;
}
