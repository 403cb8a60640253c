import { readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SingleBar } from "cli-progress";
import { Command } from "commander";
import { type EnsembleTried, SEARCH_ENSEMBLES, SEARCH_UNITS, type SizeTried, search } from "../../ml/search.ts";
import {
  DEFAULT_TRAINING,
  modelFile,
  SHORTEST_HISTORY,
  type Trained,
  type TrainOptions,
  trainTrunk,
} from "../../ml/train.ts";
import { PARTS } from "../../server/detect/index.ts";
import { type CsvArguments, csvOptions, readCsvFile, reportLosses, withCsv } from "../csv.ts";
import { number } from "../errors.ts";

interface Options extends CsvArguments {
  readonly data?: string;
  readonly out: string;
  readonly seed: number;
  readonly units: number;
  readonly steps: number;
  readonly search?: boolean;
  readonly type?: string;
}

/** `telltale train`: trains the recurrent model from a seed, on simulated series and one's own. */
export function trainCommand(): Command {
  const command = new Command("train")
    .description("train the recurrent model from a seed; MODEL_PATH then takes the file written")
    .requiredOption("-o, --out <file>", "model file to write")
    .option(
      "--data <path>",
      "a CSV or a folder of them: half of the training is on these series, their last fifth is held out",
    )
    .option("--seed <n>", "seed", number({ min: 0, max: 2 ** 31 - 1, integer: true }), DEFAULT_TRAINING.seed)
    .option("--units <n>", "size of the LSTM", number({ min: 1, max: 16, integer: true }), DEFAULT_TRAINING.units)
    .option("--steps <n>", "training steps", number({ min: 1, max: 100_000, integer: true }), DEFAULT_TRAINING.steps)
    .option("--type <name>", "sensor type of those series: the model gets a prior for it, estimated from them")
    .option(
      "--search",
      `try ${SEARCH_UNITS.join(", ")} units by the loss on held-out series, then ${SEARCH_ENSEMBLES.length} ensembles (all detectors, and without each) by the faults found there`,
    );
  return withCsv(command).action(run);
}

async function run(options: Options): Promise<void> {
  const { seed, steps, units, type } = options;
  const history = options.data === undefined ? undefined : await readHistory(options.data, options);
  if (type !== undefined && history === undefined)
    throw new Error("--type says what the series of --data are: give both");
  const wanted = {
    ...{ seed, steps },
    ...(history === undefined ? {} : { history }),
    ...(type === undefined ? {} : { sensorType: type }),
  };
  const found = options.search
    ? await search(wanted, (tried) => console.log(describe(tried)), trainOne)
    : { trained: await trainOne({ ...wanted, units }), options: { ...wanted, units } };
  const { model } = found.trained;
  console.table(found.trained.heldOut);
  await writeFile(options.out, modelFile(found.trained, found.options));
  console.log(`${model.name}: ${model.units} units, ${(model.parts ?? PARTS).join(", ")} → ${options.out}`);
}

function describe(tried: SizeTried | EnsembleTried): string {
  if ("units" in tried) return `${tried.units} units: held-out loss ${tried.loss.toFixed(5)}`;
  return `${tried.parts.join(", ")}: ${(100 * tried.recall).toFixed(1)} % of the injected faults found`;
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

async function readHistory(path: string, options: CsvArguments): Promise<Float64Array[]> {
  const folder = (await stat(path)).isDirectory();
  const names = folder
    ? (await readdir(path, { recursive: true })).filter((name) => name.endsWith(".csv")).sort()
    : [""];
  const history: Float64Array[] = [];
  for (const name of names) {
    const file = folder ? join(path, name) : path;
    for (const values of await valuesOf(file, options)) {
      if (values.length >= SHORTEST_HISTORY) history.push(Float64Array.from(values));
      else console.error(`${file}: ${values.length} readings, left out (wanted ${SHORTEST_HISTORY} or more)`);
    }
  }
  if (history.length === 0) throw new Error(`${path} holds no series of ${SHORTEST_HISTORY} readings or more`);
  return history;
}

/** The values of each sensor of a file, in the order of time. */
async function valuesOf(file: string, options: CsvArguments): Promise<number[][]> {
  const { reader, readings } = await readCsvFile(file, csvOptions(options));
  try {
    reportLosses(file, reader);
    const values: number[][] = reader.series.map(() => []);
    for await (const { value, series } of readings) values[series]!.push(value);
    return values;
  } finally {
    await readings.dispose();
  }
}
