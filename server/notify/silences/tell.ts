/** A word to whoever a silence is to tell: before it ends, where it hides something then, and once it is over, what it hid. */
import type { Sql } from "postgres";
import { counted } from "../../../formats/counted.ts";
import { formatMatcher } from "../../../formats/matchers.ts";
import { duration, instant } from "../../detect/index.ts";
import type { Logger } from "../../observe/logger.ts";
import { channelKeys } from "../config/channel-keys.ts";
import type { NotifyConfig, ReceiverConfig } from "../config/config.ts";
import { queueInstead } from "../deliveries/store.ts";
import { NO_ALERT } from "../deliveries/test-message.ts";
import type { KnownAlert } from "../known-alert.ts";
import type { Message } from "../message.ts";
import { hiddenBy, isMatched } from "./hidden.ts";
import type { Silence } from "./silence.ts";
import { markReported, markTold, silencesToReport, silencesToTell, TOLD_AT_ONCE } from "./store.ts";

const LISTED = 20;
/** No severity of ours: it is no fault. */
const SEVERITY = "info";

export interface TellContext {
  readonly config: Pick<NotifyConfig, "receivers">;
  readonly externalUrl: string;
  readonly logger: Logger;
  readonly openAlerts: () => readonly KnownAlert[];
  readonly nowUs: number;
}

/** Queues what is to be said now. */
export async function tellOfSilences(tx: Sql, context: TellContext): Promise<void> {
  const { nowUs, openAlerts } = context;
  const ending = await silencesToTell(tx, nowUs);
  const known = ending.length === 0 ? [] : openAlerts();
  let told = 0;
  for (const silence of ending) {
    if (told === TOLD_AT_ONCE) break;
    const open = known.filter(isMatched(silence));
    // One that opens later is a reason, too.
    if (open.length === 0) continue;
    told++;
    await queue(tx, silence, { ...context, sequence: silence.endsUs, text: ahead(silence, open, nowUs) });
    await markTold(tx, silence);
  }
  for (const silence of await silencesToReport(tx, nowUs)) {
    const text = report(silence, await hiddenBy(tx, silence));
    await queue(tx, silence, { ...context, sequence: silence.endsUs + 1, text, isOver: true });
    await markReported(tx, silence);
  }
}

interface Saying extends TellContext {
  readonly sequence: number;
  readonly text: string;
  readonly isOver?: boolean;
}

async function queue(tx: Sql, silence: Silence, saying: Saying): Promise<void> {
  const { config, logger, nowUs } = saying;
  const receiver = config.receivers.find(({ name }) => name === silence.tell);
  if (receiver === undefined) {
    return logger.warn({ silence: silence.id, receiver: silence.tell }, "a silence tells a receiver that is gone");
  }
  await queueInstead(tx, undefined, messagesTo(receiver, silence, saying), nowUs);
}

/** To all channels, also those that are told no ends: whoever wants to hear of the silence wants to hear this. */
function messagesTo(receiver: ReceiverConfig, silence: Silence, { sequence, text, isOver, externalUrl }: Saying) {
  const { id, author, comment, startsUs, endsUs } = silence;
  const groupKey = `silence/${id}`;
  const status = isOver ? ("resolved" as const) : ("firing" as const);
  const labels = { alertname: "silence_ends", severity: SEVERITY, owner: author };
  const annotations = { summary: `${isOver ? "Silence is over" : "Silence ends"}: ${comment}`, description: text };
  const message: Message = {
    ...{ key: `${groupKey}/${sequence}`, groupKey, receiver: receiver.name, status, truncatedAlerts: 0, externalUrl },
    ...{ groupLabels: labels, commonLabels: labels, commonAnnotations: annotations },
    notice: "You hear this because a silence was made with you to tell of its end.",
    alerts: [{ id: NO_ALERT, labels, annotations, status, startsUs, ...(isOver ? { endsUs } : {}) }],
  };
  const keys = channelKeys(receiver.channels);
  return receiver.channels.map(({ kind }, channel) => {
    return { message, groupKey, sequence, channel, channelKey: keys[channel]!, kind };
  });
}

function ahead(silence: Silence, open: readonly KnownAlert[], nowUs: number): string {
  const { endsUs } = silence;
  const they =
    open.length === 1
      ? "1 alert that it hides is open, and is"
      : `${open.length} alerts that it hides are open, and are`;
  return [
    `${whatIs(silence)} It ends in ${duration(endsUs - nowUs)}, at ${instant(endsUs)}: ${they} told then, unless it is prolonged.`,
    ...listOf(open),
  ].join("\n");
}

function report(
  silence: Silence,
  { alerts, isTruncated }: { readonly alerts: readonly KnownAlert[]; readonly isTruncated: boolean },
): string {
  const open = alerts.filter(({ status }) => status === "firing").length;
  const count = `${isTruncated ? "at least " : ""}${counted(alerts.length, "alert")}`;
  const still = open === 0 ? "none of them is still open" : `${open} of them still open`;
  const hid = alerts.length === 0 ? "It hid nothing." : `It hid ${count}, ${still}.`;
  return [`${whatIs(silence)} ${hid}`, ...listOf(alerts)].join("\n");
}

function whatIs({ author, matchers, startsUs }: Silence): string {
  return `By ${author}, since ${instant(startsUs)}: ${matchers.map(formatMatcher).join(", ")}.`;
}

function listOf(alerts: readonly KnownAlert[]): string[] {
  const lines = alerts.slice(0, LISTED).map(({ severity, labels, annotations, startsUs, endsUs }) => {
    const what = annotations.summary ?? labels.alertname ?? "alert";
    const when =
      endsUs === undefined ? `since ${instant(startsUs)}, still open` : `${instant(startsUs)} to ${instant(endsUs)}`;
    return `[${severity.toUpperCase()}] ${what}, ${when}`;
  });
  return alerts.length > LISTED ? [...lines, `and ${alerts.length - LISTED} more`] : lines;
}
