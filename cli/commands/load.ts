import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { Command } from "commander";
import { counted } from "../../formats/counted.ts";
import { number } from "../errors.ts";
import { milliseconds, short } from "../load/charts.ts";
import { type Devices, grpcDevices, restDevices } from "../load/devices.ts";
import { Recorder } from "../load/recorder.ts";
import { type RunFacts, reportPage, sums } from "../load/report.ts";
import { OutputFile } from "../output.ts";
import { type ServerOptions, withServer } from "../server.ts";
import { untilInterrupted } from "../signals.ts";

/** Readings due within this time go out together. */
const TICK_MS = 5;
/** The live line: on a terminal, and elsewhere. */
const SHOW_MS = 1_000;
const LINE_MS = 5_000;
/** After the last reading, what is open may take so long to be settled. */
const SETTLE_MS = 60_000;

interface LoadOptions extends ServerOptions {
  readonly rest?: string;
  readonly devices: number;
  readonly rate: number;
  readonly seconds: number;
  readonly connections?: number;
  readonly linger: number;
  readonly prefix: string;
  readonly report: string;
  readonly json?: string;
}

/** `telltale load`: simulated devices that send at their times, however slow the answers are. */
export function loadCommand(): Command {
  const whole = (min: number, max: number) => number({ min, max, integer: true });
  return withServer(
    new Command("load")
      .description("load-test a platform and write a report: an open loop of many simulated devices")
      .option(
        "--rest <address>",
        "send by REST to this HTTP endpoint, for example http://127.0.0.1:8000, instead of by gRPC",
      )
      .option("-n, --devices <count>", "how many devices, a sensor each", whole(1, 1_000_000), 1_000)
      .option("-r, --rate <readings>", "readings a second of each device", number({ min: 1e-4, max: 1e5 }), 1)
      .option("-t, --seconds <seconds>", "how long", whole(1, 86_400), 30)
      .option("-c, --connections <count>", "shared by the devices (default: one each, at most 100)", whole(1, 10_000))
      .option("--linger <ms>", "by gRPC: how long a reading waits for others of its batch", whole(0, 10_000), 5)
      .option("--prefix <text>", "prefix of the sensor ids", "load")
      .option("--report <file>", "the report, as one HTML file", "load.html")
      .option("--json <file>", "the figures, as JSON"),
  )
    .addHelpText("after", "\nExit code 1 where a reading was not settled or anything failed.")
    .action(load);
}

async function load(options: LoadOptions): Promise<void> {
  const { devices: count, rate, seconds } = options;
  const connections = Math.min(options.connections ?? 100, count);
  const facts: RunFacts = {
    by: options.rest === undefined ? "gRPC" : "REST",
    url: options.rest ?? options.url,
    devices: count,
    connections,
    rate: count * rate,
    seconds,
    startedAt: new Date().toISOString(),
  };
  await using report = await OutputFile.open(options.report);
  await using json = options.json === undefined ? undefined : await OutputFile.open(options.json);
  const recorder = new Recorder(performance.now());
  const devices = (options.rest === undefined ? grpcDevices : restDevices)(
    {
      url: facts.url,
      ...(options.token === undefined ? {} : { token: options.token }),
      connections,
      lingerMs: options.linger,
      producer: `load:${hostname()}:${process.pid}`.slice(0, 90),
    },
    recorder,
  );
  const stop = showLive(recorder);
  try {
    await untilInterrupted(async (signal) => {
      await sendAll(devices, options, recorder, signal);
      await Promise.race([devices.settled(), delay(SETTLE_MS, undefined, { ref: false })]);
    });
  } finally {
    stop();
    await devices.close();
  }
  await report.write(reportPage(facts, recorder));
  const run = sums(facts, recorder);
  await json?.write(`${JSON.stringify({ ...facts, ...run }, null, 1)}\n`);
  console.log(
    `${run.sent} sent, ${run.settled} settled, ${counted(run.failed, "error")}; ${line(recorder)}; report: ${options.report}`,
  );
  for (const [kind, times] of Object.entries(run.errors)) console.log(`  ${times} × ${kind}`);
  if (run.unsettled > 0 || run.failed > 0) process.exitCode ||= 1;
}

/** The k-th reading of all is due k / rate after the start, whatever became of those before it. */
async function sendAll(devices: Devices, options: LoadOptions, recorder: Recorder, signal: AbortSignal): Promise<void> {
  const { devices: count, rate, seconds, prefix } = options;
  const perMs = (count * rate) / 1000;
  const total = Math.round(count * rate * seconds);
  const startMs = performance.now();
  const startUs = Date.now() * 1000;
  for (let k = 0; k < total && !signal.aborted; ) {
    for (; k < total && k / perMs <= performance.now() - startMs; k++) {
      const device = k % count;
      const atMs = k / perMs;
      const observedAtUs = startUs + Math.round(atMs * 1000);
      const value = Math.round((20 + 5 * Math.sin(atMs / 7_000 + device) + Math.random()) * 100) / 100;
      devices.send(device, { sensorId: `${prefix}-${device}`, value, observedAtUs }, startMs + atMs);
    }
    await delay(TICK_MS);
  }
  if (signal.aborted) recorder.error("interrupted");
}

/** "ack p50 3.1 ms, p99 12 ms; settled p50 9 ms, p99 40 ms". */
function line(recorder: Recorder, lastSeconds?: number): string {
  const part = (which: "durableMs" | "settledMs") => {
    const of = recorder.total(which, lastSeconds);
    return `p50 ${milliseconds(of.quantile(0.5))}, p99 ${milliseconds(of.quantile(0.99))}`;
  };
  const acks = recorder.total("durableMs").count > 0 ? `durable ${part("durableMs")}; ` : "";
  return `${acks}settled ${part("settledMs")}`;
}

/** Answers with what ends it. */
function showLive(recorder: Recorder): () => void {
  const terminal = process.stderr.isTTY;
  const everyMs = terminal ? SHOW_MS : LINE_MS;
  const windowSeconds = everyMs / 1000;
  let last = { sent: 0, settled: 0 };
  const started = Date.now();
  const show = () => {
    const { sent, settled, failed } = recorder;
    const rate = (now: number, before: number) => short((now - before) / windowSeconds);
    const rates = `${rate(sent, last.sent)}/s sent, ${rate(settled, last.settled)}/s settled`;
    const text = `${Math.round((Date.now() - started) / 1000)} s: ${rates}; ${line(recorder, windowSeconds)}; ${counted(failed, "error")}`;
    process.stderr.write(terminal ? `\r\x1b[K${text}` : `${text}\n`);
    last = { sent, settled };
  };
  const timer = setInterval(show, everyMs);
  return () => {
    clearInterval(timer);
    if (terminal) process.stderr.write("\n");
  };
}
