/**
 * `node server/backtest/rescore.ts [JSON]`: readings on the standard input, verdicts on the standard output, as `stdio.ts` says. The
 * argument: {"threshold":0.95,"alarmsPerSensorDay":0.1,"runtime":"js","modelPath":…,"config":{…DetectorConfig in JSON…},
 * "timeline":"FILE","only":"readings"|"alerts"}; all of it may be left out.
 */

import { once } from "node:events";
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { fromBinary, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { DetectorConfigSchema } from "../../gen/es/telltale/v1/detector_pb.ts";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { createScorer } from "../detect/model/scorer.ts";
import { replayLines } from "./stdio.ts";
import { type ControlEvent, Ticks, type Timeline } from "./timeline.ts";
import { withConfig } from "./tried.ts";

interface Argument {
  readonly threshold?: number;
  readonly alarmsPerSensorDay?: number;
  readonly runtime?: string;
  readonly modelPath?: string;
  readonly config?: JsonValue;
  readonly timeline?: string;
  /** The former name of `timeline`. */
  readonly happenings?: string;
  readonly only?: "readings" | "alerts";
}

const a = JSON.parse(process.argv[2] ?? "{}") as Argument;
const scorer = await createScorer({
  threshold: a.threshold ?? 0.95,
  alarmsPerSensorDay: a.alarmsPerSensorDay ?? 0.1,
  runtime: a.runtime ?? "js",
  modelPath: a.modelPath,
});
const timelineFile = a.timeline ?? a.happenings;
const known = timelineFile === undefined ? new Map<number, Timeline>() : await readTimelines(timelineFile);
const config = a.config === undefined ? undefined : fromJson(DetectorConfigSchema, a.config);
try {
  await replayLines(createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY }), {
    createDetector: scorer.createDetector,
    timeline: (partition) => {
      const logged = known.get(partition) ?? { controls: [], ticks: new Ticks() };
      return config === undefined ? logged : withConfig(logged, config);
    },
    ...(a.only === undefined ? {} : { only: a.only }),
    write: async (text) => {
      if (!process.stdout.write(text)) await once(process.stdout, "drain");
    },
  });
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

/**
 * A file of JSON lines, each partition's in the order of the log: {"partition":0,"tick":…,"receivedUs":…,"control":"base64 of a
 * telltale.v1.Control"}, and without `control` where only time has passed.
 */
async function readTimelines(file: string): Promise<Map<number, Timeline>> {
  type Line = { partition: number; tick: number; receivedUs: number; control?: string };
  const found = new Map<number, { controls: ControlEvent[]; ticks: Ticks }>();
  for await (const text of createInterface({ input: createReadStream(file) })) {
    if (text === "") continue;
    const { partition, tick, receivedUs, control } = JSON.parse(text) as Line;
    const of = found.get(partition) ?? { controls: [], ticks: new Ticks() };
    found.set(partition, of);
    if (control === undefined) of.ticks.add(receivedUs, tick);
    else of.controls.push({ tick, receivedUs, control: fromBinary(ControlSchema, Buffer.from(control, "base64")) });
  }
  return found;
}
