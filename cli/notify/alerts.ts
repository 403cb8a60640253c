/** `telltale notify alerts|acknowledge`: open alerts as notifications see them, ours and those of other programs. */
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { Command, InvalidArgumentError } from "commander";
import { formatMatcher, type Matcher, MatcherProblem, parseMatchers } from "../../formats/matchers.ts";
import { type NotifiedAlert, NotifiedState } from "../../gen/es/telltale/v1/notification_pb.ts";
import { toLabelMatcher } from "../../server/lib/label-matcher.ts";
import { readId } from "../errors.ts";
import { type ServerOptions, withServer } from "../server.ts";
import { inert } from "../text.ts";
import { withNotifications } from "./service.ts";

const PAGE = 1_000;

interface AlertsOptions extends ServerOptions {
  readonly receiver?: string;
}

/** The subcommands. */
export function alertCommands(): Command[] {
  const alerts = new Command("alerts")
    .description("print open alerts, those of other programs first, with what keeps each back and who is to hear of it")
    .argument(
      "[matcher...]",
      `such as alertname="HighTemp" or 'severity=~"high|critical"'; all have to match`,
      readMatchers,
    )
    .option("--receiver <expression>", "only those of which a receiver with such a name is to hear")
    .action(listAlerts);
  const acknowledge = new Command("acknowledge")
    .description("stop repetitions about alerts of other programs; that they are over is told nevertheless")
    .argument(
      "<alert...>",
      "ids, as `telltale notify alerts` prints them",
      (id: string, before: readonly bigint[] = []) => [...before, readId(id)],
    )
    .action(acknowledgeAlerts);
  return [alerts, acknowledge].map(withServer);
}

async function listAlerts(matchers: readonly Matcher[], { receiver = "", ...options }: AlertsOptions): Promise<void> {
  await withNotifications(options, async (notifications) => {
    const filter = { matchers: matchers.map(toLabelMatcher), receiver, limit: PAGE };
    for (let pageToken = ""; ; ) {
      const page = await notifications.listNotifiedAlerts({ ...filter, pageToken });
      for (const alert of page.alerts) console.log(line(alert));
      pageToken = page.nextPageToken;
      if (pageToken === "") return;
    }
  });
}

async function acknowledgeAlerts(ids: readonly bigint[], options: ServerOptions): Promise<void> {
  await withNotifications(options, async (notifications) => {
    for (const alertId of ids) {
      const { acknowledgedBy } = await notifications.acknowledgeReceivedAlert({ alertId });
      console.log(`${alertId}: acknowledged by ${inert(acknowledgedBy)}`);
    }
  });
}

function line({
  alertId,
  labels,
  startsAt,
  state,
  silencedBy,
  inhibitedBy,
  acknowledged,
  ...alert
}: NotifiedAlert): string {
  const since = startsAt === undefined ? "" : timestampDate(startsAt).toISOString();
  const named = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  const shown = named.map(([name, value]) => formatMatcher({ name, operator: "=", value })).join(",");
  const why = [
    ...silencedBy.map((id) => `silence ${id}`),
    ...inhibitedBy.map((each) => `alert ${each.alertId}`),
    ...(state === NotifiedState.SUPPRESSED && silencedBy.length + inhibitedBy.length === 0 ? ["something else"] : []),
  ];
  const back = why.length === 0 ? "" : `  kept back by ${why.join(", ")}`;
  const done = acknowledged ? "  acknowledged" : "";
  return `${alertId}  ${since}  ${inert(shown)}  to ${inert(alert.receivers.join(", "))}${back}${done}`;
}

function readMatchers(text: string, before: readonly Matcher[] = []): Matcher[] {
  try {
    return [...before, ...parseMatchers(text)];
  } catch (error) {
    if (error instanceof MatcherProblem) throw new InvalidArgumentError(error.message);
    throw error;
  }
}
