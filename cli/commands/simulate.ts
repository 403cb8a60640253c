import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { Command } from "commander";
import { createDeviceClient, type DeviceClient } from "../../client/index.ts";
import { csvRow } from "../../formats/csv/write.ts";
import { type Label, Plant } from "../../formats/plant.ts";
import { instantText } from "../../formats/time.ts";
import { number } from "../errors.ts";
import { OutputFile } from "../output.ts";
import { countsLine, showProgress } from "../progress.ts";
import { credentials, outageReporter, type ServerOptions, withServer } from "../server.ts";
import { untilInterrupted } from "../signals.ts";
import { timeOption } from "../time.ts";

/** After Ctrl-C, how long what was sent may take to settle. */
const LAST_WORDS_MS = 5_000;

interface SimulateOptions extends ServerOptions {
  readonly sensors: number;
  readonly interval: number;
  readonly readings?: number;
  readonly start?: number;
  readonly speed: number | "max";
  readonly seed: number;
  readonly faults: number;
  readonly labels: string;
  readonly prefix: string;
}

/** `telltale simulate`: a plant to try the platform with, and the truth about it. */
export function simulateCommand(): Command {
  return withServer(
    new Command("simulate")
      .description("stream a small plant of sensors with seasons, noise and labelled faults")
      .option("-n, --sensors <count>", "how many sensors", number({ min: 1, max: 1_000_000, integer: true }), 10)
      .option("--interval <seconds>", "between two readings of a sensor", number({ min: 0.001, max: 86_400 }), 1)
      .option(
        "--readings <count>",
        "of each sensor; without it, until Ctrl-C",
        number({ min: 1, max: 1e12, integer: true }),
      )
      .option("--start <time>", "instant of the first reading (ISO 8601); default: now", timeOption)
      .option("--speed <factor>", 'times real time, or "max"', speed, 1)
      .option(
        "--seed <number>",
        "the same seed gives the same plant",
        number({ min: 0, max: 2 ** 32 - 1, integer: true }),
        1,
      )
      .option("--faults <rate>", "faults per sensor and 1,000 readings, about", number({ min: 0, max: 1_000 }), 1)
      .option("--labels <file>", "file for the times and kinds of the faults (CSV)", "labels.csv")
      .option("--prefix <text>", "prefix of each sensor id", ""),
  ).action(simulate);
}

function speed(text: string): number | "max" {
  return text === "max" ? "max" : number({ min: 1e-3, max: 1e9, or: "max" })(text);
}

async function simulate(options: SimulateOptions): Promise<void> {
  const plant = new Plant({
    seed: options.seed,
    sensors: options.sensors,
    intervalUs: options.interval * 1e6,
    faultRate: options.faults / 1000,
  });
  // It checks its options first.
  const client = createDeviceClient({
    ...credentials(options),
    producer: `simulate:${hostname()}:${options.prefix}`.slice(0, 100),
    onProgress: (progress) => view.update(progress),
    onConnection: outageReporter((text) => view.say(text)),
    onRefusal: ({ refusal, reading }) => view.say(`${reading.sensorId} refused: ${refusal.message}`),
  });
  const view = showProgress((options.readings ?? 0) * options.sensors);
  try {
    await using labels = await Labels.open(options.labels, client);
    const finished = await untilInterrupted(async (signal) => {
      await run(plant, client, labels, options, signal);
      signal.throwIfAborted();
      await client.flush();
    });
    // Ctrl-C is how an endless simulation ends: what was sent is still settled, where the server is there to do it.
    if (!finished) await Promise.race([client.flush(), delay(LAST_WORDS_MS, undefined, { ref: false })]);
    view.stop();
    const { taken, settled, counts } = client.progress;
    console.log(countsLine(settled, counts));
    console.log(`The injected faults are listed in ${options.labels}.`);
    if (settled < taken) throw new Error(`${taken - settled} of ${taken} readings are not settled.`);
    process.exitCode = counts.rejected > 0n ? 1 : 0;
  } finally {
    view.stop();
    await client.close();
  }
}

/** The truth about the readings, in a file that stays as it was until the server has taken one of them. */
class Labels {
  readonly #file: OutputFile;
  readonly #client: DeviceClient;
  #waiting = "sensor_id,kind,start,end\n";

  private constructor(file: OutputFile, client: DeviceClient) {
    this.#file = file;
    this.#client = client;
  }

  static async open(path: string, client: DeviceClient): Promise<Labels> {
    return new Labels(await OutputFile.open(path), client);
  }

  async write(line: string): Promise<void> {
    this.#waiting += line;
    if (this.#client.progress.settled === 0) return;
    const text = this.#waiting;
    this.#waiting = "";
    await this.#file.write(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using _ = this.#file;
    await this.write("");
  }
}

async function run(
  plant: Plant,
  client: DeviceClient,
  labels: Labels,
  { interval, readings = Number.POSITIVE_INFINITY, speed, prefix, ...options }: SimulateOptions,
  signal: AbortSignal,
): Promise<void> {
  const startUs = Math.floor(options.start ?? Date.now() * 1000);
  const startedMs = performance.now();
  for (let step = 0; step < readings && !signal.aborted; step++) {
    const atUs = startUs + Math.round(step * interval * 1e6);
    const dueMs = speed === "max" ? 0 : startedMs + (step * interval * 1000) / speed;
    if (dueMs > performance.now()) await delay(dueMs - performance.now(), undefined, { signal });
    const { readings: measured, began } = plant.step(atUs);
    for (const label of began) await labels.write(labelLine(label, prefix));
    for (const reading of measured) await client.send({ ...reading, sensorId: prefix + reading.sensorId });
  }
}

function labelLine({ sensorId, kind, startUs, endUs }: Label, prefix: string): string {
  return csvRow([prefix + sensorId, kind, instantText(startUs), instantText(endUs)]);
}
