/** `telltale notify preview`: how often receivers would have been notified. */
import { Command } from "commander";
import { counted } from "../../formats/counted.ts";
import type { ReceiverPreview } from "../../gen/es/telltale/v1/notification_pb.ts";
import { number } from "../errors.ts";
import type { ServerOptions } from "../server.ts";
import { inert } from "../text.ts";
import { problemLine } from "./file.ts";
import { withNotifications } from "./service.ts";
import { readConfigFiles } from "./templates.ts";

/** Years of alerts are gone through. */
const PREVIEW_MS = 120_000;
const HEADINGS = ["receiver", "messages", "a week", "at night", "only ends", "most in a day"];

interface PreviewOptions extends ServerOptions {
  readonly days: number;
  readonly timeZone?: string;
}

export function previewCommand(): Command {
  return new Command("preview")
    .description("print how many messages each receiver would have had of the alerts of the last days")
    .argument("[file]", "in Alertmanager's format; default: the configuration in force")
    .option("--days <count>", "how far back, 1 to 90", number({ min: 1, max: 90, integer: true }), 30)
    .option("--time-zone <zone>", "whose days and nights (22:00 to 06:00) count, such as Europe/Berlin; default: UTC")
    .action(preview);
}

async function preview(file: string | undefined, { days, timeZone = "", ...options }: PreviewOptions): Promise<void> {
  const files = file === undefined ? { text: "", templates: [] } : await readConfigFiles(file);
  const asked = { text: files.text, templates: [...files.templates], days, timeZone };
  await withNotifications(options, async (notifications) => {
    const answer = await notifications.previewNotifications(asked, { timeoutMs: PREVIEW_MS });
    for (const problem of answer.problems) console.error(problemLine(file ?? "the configuration in force", problem));
    if (answer.problems.length > 0) {
      process.exitCode = 1;
      return;
    }
    const newest = answer.truncated ? "the newest " : "";
    const what = `${newest}${counted(answer.alerts, "alert")} of the last ${counted(days, "day")}`;
    console.error(`Messages for ${what}, without regard to silences:`);
    for (const line of table(answer.receivers, days)) console.log(line);
  });
}

function table(receivers: readonly ReceiverPreview[], days: number): string[] {
  const rows = receivers.map(({ receiver, channels, messages, atNight, resolved, ...most }) => [
    channels === 0 ? `${inert(receiver)} (no channels)` : inert(receiver),
    ...[messages, ((messages * 7) / days).toFixed(1), atNight, resolved].map(String),
    most.busiestDay === "" ? "" : `${most.busiestDayMessages} on ${most.busiestDay}`,
  ]);
  const widths = HEADINGS.map((_, i) => Math.max(...[HEADINGS, ...rows].map((row) => row[i]!.length)));
  return [HEADINGS, ...rows].map((row) =>
    row
      .map((cell, i) => (i === 0 || i === HEADINGS.length - 1 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join("  ")
      .trimEnd(),
  );
}
