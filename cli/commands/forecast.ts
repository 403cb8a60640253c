import { createClient } from "@connectrpc/connect";
import { Command } from "commander";
import { connect } from "../../client/transport.ts";
import { instantText } from "../../formats/time.ts";
import { DetectorService, type ForecastPoint, type LimitCrossing } from "../../gen/es/telltale/v1/detector_pb.ts";
import { figure } from "../../server/detect/index.ts";
import { number } from "../errors.ts";
import { credentials, type ServerOptions, withServer } from "../server.ts";
import { inert } from "../text.ts";
import { microsecondsOf } from "../time.ts";

interface Options extends ServerOptions {
  readonly hours: number;
  readonly points: number;
}

/** `telltale forecast SENSOR`: where its readings are heading. */
export function forecastCommand(): Command {
  const command = new Command("forecast")
    .description("print what is expected of a sensor after its newest reading, and when it will cross its limits")
    .argument("<sensor>", "the sensor's id")
    .option("--hours <n>", "how far ahead", number({ min: 1e-3, max: 744 }), 24)
    .option("--points <n>", "how many times", number({ min: 1, max: 1000, integer: true }), 24);
  return withServer(command).action(forecast);
}

async function forecast(sensorId: string, { hours, points, ...server }: Options): Promise<void> {
  const connection = connect(credentials(server));
  try {
    const answer = await createClient(DetectorService, connection.transport).forecast({ sensorId, hours, points });
    const unit = answer.unit === "" || answer.unit === "1" ? "" : ` in ${inert(answer.unit)}`;
    console.log(
      `${inert(answer.sensorId)}${unit}, after its newest reading at ${instantText(microsecondsOf(answer.from!))}`,
    );
    if (answer.points.length > 0) console.log(`${"time".padEnd(24)} ${HEADINGS.map((h) => h.padStart(12)).join(" ")}`);
    for (const point of answer.points) console.log(lineOf(point));
    for (const crossing of answer.crossings) console.log(sentenceOf(crossing));
    console.log(answer.basis);
  } finally {
    connection.close();
  }
}

const HEADINGS = ["expected", "50 % from", "to", "80 % from", "to", "95 % from", "to"];

function lineOf({ time, ...p }: ForecastPoint): string {
  const values = [p.expected, p.lower50, p.upper50, p.lower80, p.upper80, p.lower95, p.upper95];
  const at = instantText(microsecondsOf(time!));
  return `${at.padEnd(24)} ${values.map((value) => figure(value).padStart(12)).join(" ")}`;
}

function sentenceOf({ setting, limit, probability, earliest, expected, latest }: LimitCrossing): string {
  const chance = `${Math.round(probability * 100)} %`;
  const at = (time: typeof earliest) => (time === undefined ? "later" : instantText(microsecondsOf(time)));
  return `${setting} ${figure(limit)}: beyond it with a probability of ${chance}; earliest ${at(earliest)}, expected ${at(expected)}, latest ${at(latest)}`;
}
