import { writeFile } from "node:fs/promises";
import { toJsonString } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { Command, InvalidArgumentError, Option } from "commander";
import { connect } from "../../client/transport.ts";
import { counted } from "../../formats/counted.ts";
import { parseIso } from "../../formats/time.ts";
import { type FleetReport, FleetReportSchema, ReportService } from "../../gen/es/telltale/v1/report_pb.ts";
import { number } from "../errors.ts";
import { page } from "../report/page.ts";
import { msOf } from "../report/text.ts";
import { credentials, type ServerOptions, withServer } from "../server.ts";

const DAY_MS = 86_400_000;
/** The server gives up before. */
const TIMEOUT_MS = 180_000;

interface ReportOptions extends ServerOptions {
  readonly weekly: boolean;
  readonly date?: number;
  readonly operators: number;
  readonly top: number;
  readonly format?: "html" | "json";
  readonly out?: string;
}

/** `telltale report`: how the fleet and its alarms were over a day or a week, as a page with pictures or as JSON. */
export function reportCommand(): Command {
  const command = new Command("report")
    .description("write a report of the fleet: availability, alarms against ISA-18.2, worst sensors, drift")
    .option("--daily", "of a day, by default yesterday (this is the default)")
    .addOption(
      new Option("--weekly", "of a week from Monday to Sunday, by default the last one")
        .default(false)
        .conflicts("daily"),
    )
    .addOption(new Option("--date <date>", "the day, or a day of the week, as 2026-03-09; UTC").argParser(readDate))
    .option(
      "--operators <n>",
      "people who attend to alarms at one time",
      number({ min: 1, max: 1_000, integer: true }),
      1,
    )
    .option("--top <n>", "rows of each list", number({ min: 1, max: 100, integer: true }), 10)
    .addOption(
      new Option("--format <format>", "by default what the file's name ends in, or html").choices(["html", "json"]),
    )
    .option("-o, --out <file>", 'file to write; "-" for the standard output (default: telltale-report-<date>.html)')
    .action(writeReport);
  return withServer(command);
}

async function writeReport(options: ReportOptions): Promise<void> {
  const [startMs, endMs] = rangeOf(options, Date.now());
  const connection = connect(credentials(options));
  try {
    const service = createClient(ReportService, connection.transport);
    const { operators, top } = options;
    const request = { startTime: timestampFromMs(startMs), endTime: timestampFromMs(endMs), operators, top };
    const { report } = await service.getFleetReport(request, { timeoutMs: TIMEOUT_MS });
    await write(report!, options);
  } finally {
    connection.close();
  }
}

async function write(report: FleetReport, { format, out }: ReportOptions): Promise<void> {
  const kind = format ?? (out?.toLowerCase().endsWith(".json") ? "json" : "html");
  const text =
    kind === "html"
      ? page(report)
      : `${toJsonString(FleetReportSchema, report, { prettySpaces: 2, alwaysEmitImplicit: true })}\n`;
  if (out === "-") {
    process.stdout.write(text);
    return;
  }
  const file = out ?? `telltale-report-${new Date(msOf(report.startTime)).toISOString().slice(0, 10)}.${kind}`;
  await writeFile(file, text);
  const { sensors, alarms } = report.totals!;
  console.error(`${counted(sensors, "sensor")}, ${counted(alarms, "alarm")} → ${file}`);
}

/** Start and end of the range, milliseconds; whole days, UTC. */
export function rangeOf({ weekly, date }: Pick<ReportOptions, "weekly" | "date">, nowMs: number): [number, number] {
  const today = Math.floor(nowMs / DAY_MS) * DAY_MS;
  if (!weekly) {
    const start = date ?? today - DAY_MS;
    return [start, start + DAY_MS];
  }
  // 1970-01-05 was a Monday.
  const monday = (ms: number) => ms - ((((ms / DAY_MS - 4) % 7) + 7) % 7) * DAY_MS;
  const start = date === undefined ? monday(today) - 7 * DAY_MS : monday(date);
  return [start, start + 7 * DAY_MS];
}

function readDate(text: string): number {
  const time = parseIso(text);
  if (time?.dateOnly) return time.seconds * 1000;
  throw new InvalidArgumentError("Wanted a day as 2026-03-09.");
}
