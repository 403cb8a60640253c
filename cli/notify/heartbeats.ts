/** `telltale notify heartbeats`: who is expected to give a sign of life, and whom this installation gives one. */
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { Command } from "commander";
import { counted } from "../../formats/counted.ts";
import { durationText } from "../../formats/duration.ts";
import type { Heartbeat, OwnPing } from "../../gen/es/telltale/v1/notification_pb.ts";
import type { ServerOptions } from "../server.ts";
import { inert } from "../text.ts";
import { withNotifications } from "./service.ts";

export function heartbeatsCommand(): Command {
  return new Command("heartbeats")
    .description(
      "print programs that are expected to give a sign of life, and addresses that are given one; exit 1 where one is missing",
    )
    .action(listHeartbeats);
}

async function listHeartbeats(options: ServerOptions): Promise<void> {
  await withNotifications(options, async (notifications) => {
    const { heartbeats, pings } = await notifications.listHeartbeats({});
    if (heartbeats.length + pings.length === 0)
      console.error("The configuration in force has no heartbeats and no pings.");
    for (const heartbeat of heartbeats) console.log(heartbeatLine(heartbeat));
    for (const ping of pings) console.log(pingLine(ping));
    const failing = pings.some(({ reason }) => reason !== "");
    if (failing || heartbeats.some(({ missingSince }) => missingSince !== undefined)) process.exitCode = 1;
  });
}

function heartbeatLine({ name, intervalMs, graceMs, lastAt, count, missingSince, missingAt }: Heartbeat): string {
  const rule = `every ${durationText(Number(intervalMs))} and ${durationText(Number(graceMs))}`;
  const last = lastAt === undefined ? "none so far" : `last ${text(lastAt)}, ${counted(Number(count), "sign")} in all`;
  const state = missingSince === undefined ? "there" : `MISSING since ${text(missingSince)}`;
  const until = missingAt === undefined ? "" : `; missing from ${text(missingAt)}`;
  return `${inert(name)}  ${state}  ${rule}  ${last}${until}`;
}

function pingLine({ name, intervalMs, takenAt, failedAt, reason }: OwnPing): string {
  const last = takenAt === undefined ? "none taken so far" : `last taken ${text(takenAt)}`;
  const failed = reason === "" || failedAt === undefined ? "" : `  NOT TAKEN ${text(failedAt)}: ${inert(reason)}`;
  return `${inert(name)}  ping every ${durationText(Number(intervalMs))}  ${last}${failed}`;
}

function text(at: Timestamp): string {
  return timestampDate(at).toISOString();
}
