/**
 * `telltale notify alerts|acknowledge`: open alerts as notifications see them, ours and those of other programs. Whom escalations notify depends on
 * the time: that is in `telltale notify explain`.
 */
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { Command } from "commander";
import { formatMatcher, type Matcher } from "../../formats/matchers.ts";
import { type NotifiedAlert, NotifiedState } from "../../gen/es/telltale/v1/notification_pb.ts";
import { toLabelMatcher } from "../../server/lib/label-matcher.ts";
import { readId } from "../errors.ts";
import { readMatchers } from "../matchers.ts";
import { printList } from "../pages.ts";
import { type ServerOptions, withServer } from "../server.ts";
import { inert } from "../text.ts";
import { withNotifications } from "./service.ts";

interface AlertsOptions extends ServerOptions {
  readonly receiver?: string;
}

/** The subcommands. */
export function alertCommands(): Command[] {
  const alerts = new Command("alerts")
    .description(
      "print open alerts, those of other programs first, with what keeps each back and whom its routes notify",
    )
    .argument(
      "[matcher...]",
      `such as alertname="HighTemp" or 'severity=~"high|critical"'; all have to match`,
      readMatchers,
    )
    .option("--receiver <expression>", "only those of which their routes notify a receiver with such a name")
    .action(listAlerts);
  const acknowledge = new Command("acknowledge")
    .description("stop repetitions about alerts of other programs; their end is reported nevertheless")
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
    const filter = { matchers: matchers.map(toLabelMatcher), receiver };
    await printList({
      page: async (asked) => {
        const { alerts, nextPageToken } = await notifications.listNotifiedAlerts({ ...filter, ...asked });
        return { items: alerts, nextPageToken };
      },
      line,
      none: "No alerts.",
    });
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
