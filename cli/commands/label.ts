import { createClient } from "@connectrpc/connect";
import { Argument, Command } from "commander";
import { connect } from "../../client/transport.ts";
import { DetectorService } from "../../gen/es/telltale/v1/detector_pb.ts";
import { alertLine } from "../alerts.ts";
import { readId } from "../errors.ts";
import { credentials, type ServerOptions, withServer } from "../server.ts";

interface Options extends ServerOptions {
  readonly comment: string;
  readonly dryRun: boolean;
}

/** `telltale label ALERT right|wrong|none`: tells the detector whether an alert was right. */
export function labelCommand(): Command {
  const command = new Command("label")
    .description("say whether an alert was right; adjusts the sensor's alarm threshold and prints the effect")
    .argument("<alert>", "its id, as `watch alerts` shows it (with or without #)", readId)
    .addArgument(new Argument("<verdict>", "none removes the label").choices(["right", "wrong", "none"]))
    .option("--comment <why>", "reason, for later readers", "")
    .option("--dry-run", "change nothing, only print what the label would do", false);
  return withServer(command).action(label);
}

async function label(id: bigint, verdict: string, options: Options): Promise<void> {
  const connection = connect(credentials(options));
  try {
    const service = createClient(DetectorService, connection.transport);
    const request = {
      alertId: id,
      correct: verdict === "right",
      withdraw: verdict === "none",
      comment: options.comment,
      dryRun: options.dryRun,
    };
    const { summary, avoided, added } = await service.labelAlert(request);
    console.log(summary);
    for (const alert of avoided) console.log(`- ${alertLine(alert)}`);
    for (const alert of added) console.log(`+ ${alertLine(alert)}`);
  } finally {
    connection.close();
  }
}
