/** `telltale notify apply|show|test|deliveries|explain|revoke-links|preview`: what a running platform does about notifications. */
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { Command, Option } from "commander";
import { counted } from "../../formats/counted.ts";
import { DeliveryState, type NotificationDelivery } from "../../gen/es/telltale/v1/notification_pb.ts";
import { enumName } from "../../server/lib/enum-name.ts";
import { number, readId } from "../errors.ts";
import { printList } from "../pages.ts";
import { type ServerOptions, withServer } from "../server.ts";
import { inert } from "../text.ts";
import { alertCommands } from "./alerts.ts";
import { problemLine } from "./file.ts";
import { heartbeatsCommand } from "./heartbeats.ts";
import { previewCommand } from "./preview.ts";
import { withNotifications } from "./service.ts";
import { readConfigFiles } from "./templates.ts";

/** A channel that hangs is waited for. */
const TEST_MS = 60_000;
const STATES = ["queued", "sent", "failed"] as const;

interface ApplyOptions extends ServerOptions {
  readonly dryRun?: true;
}

interface DeliveriesOptions extends ServerOptions {
  readonly receiver?: string;
  readonly state?: (typeof STATES)[number];
  readonly limit: number;
}

/** The subcommands that talk to a server. */
export function serverCommands(): Command[] {
  const apply = new Command("apply")
    .description("put a configuration in force as a whole, or say by line what of it cannot be taken")
    .argument("<file>", "in Alertmanager's format")
    .option("--dry-run", "only check it")
    .action(applyFile);
  const show = new Command("show")
    .description("print the configuration in force, without its secrets")
    .option("--template <path>", "one of its files of templates instead, as `templates` names it")
    .action(showConfig);
  const test = new Command("test")
    .description("send a test to every channel of a receiver, and print what became of it")
    .argument("<receiver>", "as the configuration names it")
    .action(testReceiver);
  const deliveries = new Command("deliveries")
    .description("print messages that were sent, wait or failed, newest first")
    .option("--receiver <name>", "only those to this receiver")
    .addOption(new Option("--state <state>", "only those that are so").choices(STATES))
    .option("--limit <count>", "at most so many", number({ min: 1, max: 1e9, integer: true }), 100)
    .action(listDeliveries);
  const explain = new Command("explain")
    .description("print why an alert did or did not reach whom")
    .argument("<alert>", "the alert's id", readId)
    .action(explainAlert);
  const revoke = new Command("revoke-links")
    .description("make all links worthless by which people act from messages, for good; new messages have new ones")
    .action(revokeLinks);
  const own = [apply, show, test, deliveries, explain, revoke, heartbeatsCommand(), previewCommand()].map(withServer);
  return [...own, ...alertCommands()];
}

async function applyFile(file: string, options: ApplyOptions): Promise<void> {
  const { text, templates } = await readConfigFiles(file);
  await withNotifications(options, async (notifications) => {
    const { problems, warnings, config } = await notifications.setNotificationConfig({
      ...{ text, templates: [...templates] },
      dryRun: options.dryRun ?? false,
    });
    for (const problem of problems) console.error(problemLine(file, problem));
    for (const warning of warnings)
      console.error(problemLine(file, { ...warning, message: `warning: ${warning.message}` }));
    if (problems.length > 0) {
      process.exitCode = 1;
      console.error(`Nothing was applied: ${counted(problems.length, "problem")}.`);
    } else if (config === undefined) console.log("It can be applied.");
    else console.log(`Revision ${config.revision} is in force.`);
  });
}

interface ShowOptions extends ServerOptions {
  readonly template?: string;
}

async function showConfig({ template, ...options }: ShowOptions): Promise<void> {
  await withNotifications(options, async (notifications) => {
    const { config, problems, usedRevision } = await notifications.getNotificationConfig({});
    if (!config?.revision) {
      return console.error(
        "Nothing was applied: nobody is notified of any alert. Apply a file with `telltale notify apply FILE`.",
      );
    }
    if (template !== undefined) return showTemplate(config.templates, template);
    const at = config.appliedAt === undefined ? "" : timestampDate(config.appliedAt).toISOString();
    console.error(`Revision ${config.revision}, applied ${at} by ${inert(config.appliedBy)}`);
    process.stdout.write(config.text);
    for (const { path } of config.templates) console.error(`with the templates of ${inert(path)}`);
    if (problems.length === 0) return;
    console.error("");
    console.error(unreadText(config.revision, usedRevision));
    for (const problem of problems) console.error(problemLine(`revision ${config.revision}`, problem));
  });
}

/** What follows from problems of a configuration that is in force. */
function unreadText(revision: bigint, used: bigint): string {
  const instead =
    used === revision
      ? "The platform's own texts and defaults stand in for what is named below"
      : used === 0n
        ? "Nobody is notified of any alert"
        : `People are notified by revision ${used}`;
  return `This version of the platform cannot read all of it, because another version took it. ${instead}. Mend your file, and apply it.`;
}

function showTemplate(templates: readonly { readonly path: string; readonly text: string }[], wanted: string): void {
  const found = templates.find(({ path }) => path === wanted);
  if (found === undefined) {
    const known = templates.map(({ path }) => inert(path)).join(", ") || "none";
    throw new Error(`The configuration has no templates of ${inert(wanted)}. Its files: ${known}.`);
  }
  process.stdout.write(found.text);
}

async function testReceiver(receiver: string, options: ServerOptions): Promise<void> {
  await withNotifications(options, async (notifications) => {
    const { channels } = await notifications.testReceiver({ receiver }, { timeoutMs: TEST_MS });
    if (channels.length === 0) console.log(`${inert(receiver)} has no channels: nobody is notified.`);
    for (const { channel, kind, delivered, reason } of channels) {
      console.log(
        `${kind} ${channel + 1}: ${delivered ? `taken${reason === "" ? "" : `: ${inert(reason)}`}` : `not taken: ${inert(reason)}`}`,
      );
      if (!delivered) process.exitCode = 1;
    }
  });
}

async function revokeLinks(options: ServerOptions): Promise<void> {
  await withNotifications(options, async (notifications) => {
    await notifications.revokeLinks({});
    console.log("Links in all messages so far are worth nothing any more.");
  });
}

async function listDeliveries({ limit, receiver = "", state, ...options }: DeliveriesOptions): Promise<void> {
  const wanted = state === undefined ? DeliveryState.UNSPECIFIED : DeliveryState[state.toUpperCase() as "SENT"];
  await withNotifications(options, async (notifications) => {
    await printList({
      page: async (asked) => {
        const { deliveries, nextPageToken } = await notifications.listDeliveries({ ...asked, receiver, state: wanted });
        return { items: deliveries, nextPageToken };
      },
      line,
      most: limit,
      none: "No messages.",
    });
  });
}

async function explainAlert(alertId: bigint, options: ServerOptions): Promise<void> {
  await withNotifications(options, async (notifications) => {
    const { labels, reasons } = await notifications.explainNotification({ alertId });
    for (const [name, value] of Object.entries(labels).sort())
      console.log(`  ${inert(name)}=${inert(JSON.stringify(value))}`);
    for (const reason of reasons) console.log(inert(reason));
  });
}

function line(delivery: NotificationDelivery): string {
  const { receiver, kind, channel, state, attempts, reason, createdAt, fallbackTo, fallbackOf, fallbackReason } =
    delivery;
  const at = createdAt === undefined ? "" : timestampDate(createdAt).toISOString();
  const tried = attempts > 1 ? ` after ${attempts} attempts` : "";
  const why = reason === "" ? "" : `  ${inert(reason)}`;
  const then = fallbackTo === "" ? "" : ` → ${inert(fallbackTo)}`;
  const instead = fallbackOf === undefined ? "" : `  instead of ${fallbackOf}: ${inert(fallbackReason)}`;
  const where = `${inert(receiver)} by ${kind} ${channel + 1}`;
  return `${at}  ${delivery.id}  ${enumName(DeliveryState, state)}${then}${tried}  ${where}  ${alertsText(delivery)}${why}${instead}`;
}

/** Such as "firing 12 13, resolved 9". */
function alertsText({ alertIds, resolvedAlertIds, brokenChannels, resolved }: NotificationDelivery): string {
  const over = new Set(resolvedAlertIds);
  const firing = alertIds.filter((id) => !over.has(id));
  const parts = [
    ...(firing.length === 0 ? [] : [`firing ${firing.join(" ")}`]),
    ...(over.size === 0 ? [] : [`resolved ${[...over].join(" ")}`]),
    ...brokenChannels.map((each) => `${resolved ? "works again" : "broken"}: ${inert(each)}`),
  ];
  return parts.length === 0 ? "test" : parts.join(", ");
}
