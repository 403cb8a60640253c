import { timestampDate, timestampMs } from "@bufbuild/protobuf/wkt";
import { Command } from "commander";
import { durationMs } from "../../formats/duration.ts";
import type { Override, Shift } from "../../gen/es/telltale/v1/notification_pb.ts";
import { number } from "../errors.ts";
import { withNotifications } from "../notify/service.ts";
import { durationOption } from "../notify/words.ts";
import { printList } from "../pages.ts";
import { type ServerOptions, withServer } from "../server.ts";
import { inert } from "../text.ts";
import { timeOption, timestampOf } from "../time.ts";

interface ShowOptions extends ServerOptions {
  readonly at?: number;
}

interface ShiftsOptions extends ServerOptions {
  readonly from?: number;
  readonly days: number;
  readonly ical?: true;
}

interface OverrideOptions extends ServerOptions {
  readonly for: number;
  readonly from?: number;
  readonly insteadOf?: string;
  readonly comment?: string;
}

const DAY_US = 86_400_000_000;
/** That the platform answers at once. */
const MAX_DAYS = 62;
const LEAST_MS = durationMs("1m")!;

/** `telltale oncall show|shifts|override|overrides|end`: who is notified while nobody acknowledges. */
export function onCallCommand(): Command {
  const show = new Command("show")
    .description("print who is on call by each schedule")
    .option("--at <time>", "when; default: now", timeOption)
    .action(showOnCall);
  const shifts = new Command("shifts")
    .description("print the shifts of a schedule")
    .argument("<schedule>", "as the configuration names it")
    .option("--from <time>", "default: now", timeOption)
    .option("--days <count>", `how far, 1 to ${MAX_DAYS}`, number({ min: 1, max: MAX_DAYS, integer: true }), 14)
    .option("--ical", "as an iCalendar file, for calendar programs")
    .action(printShifts);
  const override = new Command("override")
    .description("let somebody take over for a time")
    .argument("<schedule>", "as the configuration names it")
    .argument("<receiver>", "who takes over")
    .requiredOption("--for <duration>", "how long, such as 8h or 2d", durationOption({ leastMs: LEAST_MS }))
    .option("--from <time>", "when it begins; default: now", timeOption)
    .option("--instead-of <receiver>", "only from this one; default: from everybody of the schedule")
    .option("--comment <text>", "why, for whoever wonders")
    .action(addOverride);
  const overrides = new Command("overrides").description("print overrides that are not over").action(listOverrides);
  const end = new Command("end")
    .description("end an override now")
    .argument("<id>", "as `telltale oncall overrides` prints it")
    .action(endOverride);
  const command = new Command("oncall").description("who is notified of alerts that nobody acknowledges");
  for (const each of [show, shifts, override, overrides, end]) command.addCommand(withServer(each));
  return command;
}

async function showOnCall({ at, ...options }: ShowOptions): Promise<void> {
  await withNotifications(options, async (notifications) => {
    const { schedules } = await notifications.getOnCall(at === undefined ? {} : { at: timestampOf(at) });
    if (schedules.length === 0) console.error("The configuration in force has no schedules.");
    for (const { schedule, timeZone, onCall } of schedules) {
      const names = onCall.map(
        ({ receiver, overrideId }) => inert(receiver) + (overrideId === "" ? "" : " (override)"),
      );
      console.log(`${inert(schedule)} (${timeZone}): ${names.join(", ") || "nobody"}`);
    }
  });
}

async function printShifts(schedule: string, { from, days, ical, ...options }: ShiftsOptions): Promise<void> {
  const fromUs = from ?? Date.now() * 1_000;
  await withNotifications(options, async (notifications) => {
    const range = { startTime: timestampOf(fromUs), endTime: timestampOf(fromUs + days * DAY_US) };
    const { shifts } = await notifications.listShifts({ schedule, ...range });
    if (ical) {
      const { calendarText, wholeShifts } = await import("../notify/calendar.ts");
      const earlierUs = fromUs - MAX_DAYS * DAY_US;
      const earlier = { startTime: timestampOf(earlierUs), endTime: range.startTime };
      const { shifts: before } = await notifications.listShifts({ schedule, ...earlier });
      // What begins with the earlier range began before it, nobody knows when.
      const known = before.filter(({ startTime }) => timestampMs(startTime!) * 1_000 > earlierUs);
      process.stdout.write(calendarText(schedule, wholeShifts(known, shifts)));
    } else {
      const page = async () => ({ items: shifts, nextPageToken: "" });
      await printList({ page, line: shiftLine, none: "Nobody is on call." });
    }
  });
}

function shiftLine({ receiver, startTime, endTime, overrideId }: Shift): string {
  const [start, end] = [startTime!, endTime!].map((time) => timestampDate(time).toISOString().slice(0, 16));
  return `${start}Z to ${end}Z  ${inert(receiver)}${overrideId === "" ? "" : "  (override)"}`;
}

async function addOverride(schedule: string, receiver: string, options: OverrideOptions): Promise<void> {
  const { for: durationMillis, from, insteadOf: replaces = "", comment = "", ...server } = options;
  await withNotifications(server, async (notifications) => {
    const { override } = await notifications.createOverride({
      ...{ schedule, receiver, replaces, comment, durationSeconds: Math.round(durationMillis / 1_000) },
      ...(from === undefined ? {} : { startTime: timestampOf(from) }),
    });
    console.log(overrideLine(override!));
  });
}

async function listOverrides(options: ServerOptions): Promise<void> {
  await withNotifications(options, async (notifications) => {
    await printList({
      page: async () => ({ items: (await notifications.listOverrides({})).overrides, nextPageToken: "" }),
      line: overrideLine,
      none: "No overrides.",
    });
  });
}

async function endOverride(id: string, options: ServerOptions): Promise<void> {
  await withNotifications(options, async (notifications) => {
    await notifications.endOverride({ id });
    console.log(`${inert(id)}: ended`);
  });
}

function overrideLine({ id, schedule, receiver, replaces, startTime, endTime, author, comment }: Override): string {
  const [start, end] = [startTime!, endTime!].map((time) => timestampDate(time).toISOString());
  const instead = replaces === "" ? "" : ` instead of ${inert(replaces)}`;
  const why = comment === "" ? "" : `: ${inert(comment)}`;
  return `${id}  ${inert(schedule)}  ${start} to ${end}  ${inert(receiver)}${instead}  by ${inert(author)}${why}`;
}
