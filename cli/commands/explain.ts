import { createClient } from "@connectrpc/connect";
import { Command } from "commander";
import { connect } from "../../client/transport.ts";
import { DetectorService, SignalKind } from "../../gen/es/telltale/v1/detector_pb.ts";
import { enumName } from "../../server/lib/enum-name.ts";
import { alertLine } from "../alerts.ts";
import { credentials, type ServerOptions, withServer } from "../server.ts";
import { timeOption, timestampOf } from "../time.ts";

/** `telltale explain SENSOR [TIME]`: why a reading was flagged, or was not. */
export function explainCommand(): Command {
  const command = new Command("explain")
    .description("explain why a reading was, or was not, flagged: the vote of each detector and the alarm threshold")
    .argument("<sensor>", "the sensor's id")
    .argument("[time]", "when it was observed, to the microsecond (ISO 8601); without, the newest reading", timeOption);
  return withServer(command).action(explain);
}

async function explain(sensorId: string, us: number | undefined, options: ServerOptions): Promise<void> {
  const connection = connect(credentials(options));
  try {
    const service = createClient(DetectorService, connection.transport);
    const observedAt = us === undefined ? {} : { observedAt: timestampOf(us) };
    const { summary, history, votes, signal, calibration, nearestPastAlert } = await service.explainReading({
      sensorId,
      ...observedAt,
    });
    console.log(summary);
    const heard = votes.filter((v) => v.surprise > 0);
    const widest = Math.max(0, ...heard.map((v) => v.detector.length));
    for (const v of heard) {
      console.log(`  ${v.detector.padEnd(widest)}  ${v.surprise.toFixed(3).padStart(8)}  ${v.detail}`);
    }
    const silent = votes.filter((v) => v.surprise === 0).map((v) => v.detector);
    if (silent.length > 0) console.log(`  No vote from: ${silent.join("; ")}.`);
    if (signal !== undefined) {
      const kind = signal.kind === SignalKind.UNSPECIFIED ? "not known yet" : enumName(SignalKind, signal.kind);
      console.log(`Signal: ${kind}. ${signal.detail}`);
    }
    if (calibration !== "") console.log(calibration);
    if (history !== "") console.log(history);
    if (nearestPastAlert !== undefined) console.log(`Last alert before: ${alertLine(nearestPastAlert)}`);
  } finally {
    connection.close();
  }
}
