import { timestampDate } from "@bufbuild/protobuf/wkt";
import { Command } from "commander";
import { counted } from "../../formats/counted.ts";
import { formatMatcher, type Matcher } from "../../formats/matchers.ts";
import type { Silence } from "../../gen/es/telltale/v1/notification_pb.ts";
import { fromLabelMatcher, toLabelMatcher } from "../../server/lib/label-matcher.ts";
import { readMatchers } from "../matchers.ts";
import { withNotifications } from "../notify/service.ts";
import { durationOption } from "../notify/words.ts";
import { printList } from "../pages.ts";
import { type ServerOptions, withServer } from "../server.ts";
import { inert } from "../text.ts";
import { timeOption, timestampOf } from "../time.ts";

interface AddOptions extends ServerOptions {
  readonly for: number;
  readonly comment: string;
  readonly from?: number;
  readonly dryRun?: true;
  readonly tell?: string;
  readonly before?: number;
}

interface ListOptions extends ServerOptions {
  readonly all?: true;
}

/** `telltale silence add|list|expire`: keeps notifications of alerts back for a time. */
export function silenceCommand(): Command {
  const add = new Command("add")
    .description("keep notifications of matching alerts back; readings are scored and alerts open as before")
    .argument(
      "<matcher...>",
      `such as sensor_id="press-7" or 'asset=~"plant/line-3/.*"'; all have to match`,
      readMatchers,
    )
    .requiredOption("--for <duration>", "how long, such as 30m, 8h or 2d", durationOption({ leastMs: 1_000 }))
    .requiredOption("--comment <text>", "why, for whoever wonders")
    .option("--from <time>", "when it begins; default: now", timeOption)
    .option(
      "--tell <receiver>",
      "whom to tell before it ends, and at its end what it hid; as the configuration names it",
    )
    .option(
      "--before <duration>",
      "how long before it ends; 0s: only at the end; default: 15m, at most half of it",
      durationOption({ leastMs: 0 }),
    )
    .option("--dry-run", "make none; print how many open alerts it would hide")
    .action(addSilence);
  const list = new Command("list")
    .description("print silences, newest first")
    .option("--all", "also those that are over")
    .action(listSilences);
  const expire = new Command("expire")
    .description("end silences now")
    .argument("<id...>", "as `telltale silence list` prints them")
    .action(expireSilences);
  const command = new Command("silence").description("keep notifications back for a time");
  for (const each of [add, list, expire]) command.addCommand(withServer(each));
  return command;
}

async function addSilence(matchers: readonly Matcher[], options: AddOptions): Promise<void> {
  await withNotifications(options, async (notifications) => {
    const { silence, matchingAlerts, alertIds } = await notifications.createSilence({
      matchers: matchers.map(toLabelMatcher),
      comment: options.comment,
      durationSeconds: Math.round(options.for / 1_000),
      ...(options.from === undefined ? {} : { startsAt: timestampOf(options.from) }),
      ...(options.tell === undefined ? {} : { tell: options.tell }),
      ...(options.before === undefined ? {} : { tellBeforeSeconds: Math.round(options.before / 1_000) }),
      dryRun: options.dryRun ?? false,
    });
    const named = alertIds.length === 0 ? "" : `: ${alertIds.join(" ")}${matchingAlerts > alertIds.length ? " …" : ""}`;
    console.error(
      `${counted(matchingAlerts, "open alert", silence ? ["matches", "match"] : ["would match", "would match"])}${named}`,
    );
    if (silence !== undefined) console.log(silence.id);
  });
}

async function listSilences(options: ListOptions): Promise<void> {
  await withNotifications(options, async (notifications) => {
    const { all: includeExpired = false } = options;
    await printList({
      page: async (asked) => {
        const { silences, nextPageToken } = await notifications.listSilences({ ...asked, includeExpired });
        return { items: silences, nextPageToken };
      },
      line,
      none: includeExpired ? "No silences." : "No silences. --all prints also those that are over.",
    });
  });
}

async function expireSilences(ids: readonly string[], options: ServerOptions): Promise<void> {
  await withNotifications(options, async (notifications) => {
    for (const id of ids) {
      await notifications.expireSilence({ id });
      console.log(`${id}: ended`);
    }
  });
}

function line({ id, matchers, author, comment, startsAt, endsAt, sensorPrefix, tell }: Silence): string {
  const time = (at: typeof startsAt) => (at === undefined ? "" : timestampDate(at).toISOString());
  const scope = sensorPrefix === "" ? "" : `  only sensors ${inert(JSON.stringify(sensorPrefix))}…`;
  const told = tell === "" ? "" : `  tells ${inert(tell)}`;
  const matches = inert(matchers.map((matcher) => formatMatcher(fromLabelMatcher(matcher))).join(","));
  return `${id}  ${time(startsAt)} to ${time(endsAt)}  ${matches}${scope}  by ${inert(author)}: ${inert(comment)}${told}`;
}
