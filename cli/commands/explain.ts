import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { Command, InvalidArgumentError } from "commander";
import { connect } from "../../client/transport.ts";
import { DetectorService } from "../../gen/es/telltale/v1/detector_pb.ts";
import { parseTime } from "../../ml/series.ts";
import { credentials, type ServerOptions, withServer } from "../server.ts";
import { alertLine } from "./alerts.ts";

/** `telltale explain SENSOR [TIME]`: why a reading was flagged, or was not. */
export function explainCommand(): Command {
  const command = new Command("explain")
    .description("tell why a reading was, or was not, flagged: what each detector said, and how far from the bar")
    .argument("<sensor>", "the sensor's id")
    .argument(
      "[time]",
      "when it was observed, to the microsecond (ISO 8601); without, the newest reading",
      microseconds,
    );
  return withServer(command).action(explain);
}

async function explain(sensorId: string, us: number | undefined, options: ServerOptions): Promise<void> {
  const connection = connect(credentials(options));
  try {
    const service = createClient(DetectorService, connection.transport);
    const observedAt = us === undefined ? {} : { observedAt: timestamp(us) };
    const { summary, history, votes, nearestPastAlert } = await service.explainReading({ sensorId, ...observedAt });
    console.log(summary);
    const heard = votes.filter((v) => v.surprise > 0);
    const widest = Math.max(0, ...heard.map((v) => v.detector.length));
    for (const v of heard) {
      console.log(`  ${v.detector.padEnd(widest)}  ${v.surprise.toFixed(3).padStart(8)}  ${v.detail}`);
    }
    const silent = votes.filter((v) => v.surprise === 0).map((v) => v.detector);
    if (silent.length > 0) console.log(`  Nothing new to: ${silent.join(", ")}.`);
    if (history !== "") console.log(history);
    if (nearestPastAlert !== undefined) console.log(`Last alert before: ${alertLine(nearestPastAlert)}`);
  } finally {
    connection.close();
  }
}

function timestamp(us: number) {
  const whole = timestampFromMs(Math.floor(us / 1000));
  return { ...whole, nanos: whole.nanos + (us % 1000) * 1000 };
}

function microseconds(text: string): number {
  const found = parseTime(text);
  if (Number.isNaN(found)) throw new InvalidArgumentError("Wanted a time such as 2024-01-31T12:00:00.000001Z.");
  return found;
}
