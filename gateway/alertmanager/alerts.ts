/** `/api/v2/alerts`, and the groups of the same alerts. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { MatcherProblem, valueTest } from "../../formats/matchers.ts";
import {
  type NotifiedAlert,
  NotifiedState,
  type ReceivedAlertSchema,
  type RefusedAlert,
} from "../../gen/es/telltale/v1/notification_pb.ts";
import type { Answer } from "../http.ts";
import type { CallContext } from "../mesh/call.ts";
import { DONE, refused, required, unparsed } from "./answers.ts";
import type { Calls } from "./calls.ts";
import { BadMatcher, filters, flag, objectOf, textOf, textsOf, timeOf } from "./read.ts";
import { time } from "./write.ts";

/** Of one call: the contract's bound. */
const PAGE = 1_000;
/** Alerts of one answer, which has no pages: it is made in memory, as a whole. */
const MAX_LISTED = 20_000;
/** An alert of ours has no end while it is open. Clients know one by an end to come: Alertmanager's default. */
const STAYS_OPEN_MS = 300_000;

export async function postAlerts(calls: Calls, body: unknown, context: CallContext): Promise<Answer> {
  const { refused: some } = await calls.call("receiveAlerts", { alerts: readAlerts(body) }, context);
  if (some.length === 0) return DONE;
  const why = [...new Set(some.map(({ message }) => message))].join("; ");
  return refused(statusOf(some), why);
}

/** What can be mended in the request is said before what only time mends. */
function statusOf(some: readonly RefusedAlert[]): number {
  if (some.some(({ reason }) => reason === "invalid")) return 400;
  return some.some(({ reason }) => reason === "forbidden") ? 403 : 429;
}

function readAlerts(body: unknown): MessageInitShape<typeof ReceivedAlertSchema>[] {
  if (!Array.isArray(body)) throw unparsed("alerts", "it is no list of alerts");
  return body.map((given, i) => {
    const fields = objectOf(given, "alerts", String(i));
    if (fields.labels === undefined || fields.labels === null) throw required(`${i}.labels`);
    const startsAt = timeOf(fields.startsAt, "alerts", `${i}.startsAt`);
    const endsAt = timeOf(fields.endsAt, "alerts", `${i}.endsAt`);
    return {
      labels: textsOf(fields.labels, "alerts", `${i}.labels`),
      annotations: textsOf(fields.annotations, "alerts", `${i}.annotations`),
      generatorUrl: textOf(fields.generatorURL ?? "", "alerts", `${i}.generatorURL`),
      ...(startsAt === undefined ? {} : { startsAt }),
      ...(endsAt === undefined ? {} : { endsAt }),
    };
  });
}

export async function getAlerts(calls: Calls, query: URLSearchParams, context: CallContext): Promise<Answer> {
  const alerts = await listed(calls, query, { withGroups: false, context });
  return { status: 200, body: alerts.map(alertOf).sort(by(({ fingerprint }) => fingerprint)) };
}

export async function getGroups(calls: Calls, query: URLSearchParams, context: CallContext): Promise<Answer> {
  const receiver = query.getAll("receiver").at(-1) ?? "";
  const isWanted = receiverTest(receiver);
  const groups = new Map<string, { labels: Record<string, string>; receiver: string; alerts: NotifiedAlert[] }>();
  for (const alert of await listed(calls, query, { withGroups: true, context })) {
    for (const { key, ...group } of alert.groups) {
      if (!isWanted(group.receiver)) continue;
      const known = groups.get(key) ?? { labels: group.labels, receiver: group.receiver, alerts: [] };
      known.alerts.push(alert);
      groups.set(key, known);
    }
  }
  const body = [...groups.values()].map(({ labels, receiver: name, alerts }) => ({
    alerts: alerts.map(alertOf).sort((a, b) => compareAlerts(a.labels, b.labels)),
    labels,
    receiver: { name },
  }));
  const ordered = body.sort((a, b) => compareLabels(a.labels, b.labels) || compare(a.receiver.name, b.receiver.name));
  return { status: 200, body: ordered };
}

/** @throws BadMatcher where the expression is none */
function receiverTest(receiver: string): (name: string) => boolean {
  if (receiver === "") return () => true;
  try {
    return valueTest({ name: "receiver", operator: "=~", value: receiver });
  } catch (error) {
    if (error instanceof MatcherProblem) throw new BadMatcher(`failed to parse receiver param: ${error.message}`);
    throw error;
  }
}

async function listed(
  calls: Calls,
  query: URLSearchParams,
  { withGroups, context }: { withGroups: boolean; context: CallContext },
): Promise<NotifiedAlert[]> {
  const request = {
    matchers: filters(query),
    receiver: query.getAll("receiver").at(-1) ?? "",
    excludeActive: !flag(query, "active"),
    excludeSilenced: !flag(query, "silenced"),
    excludeInhibited: !flag(query, "inhibited"),
    ...{ withGroups, limit: PAGE },
  };
  receiverTest(request.receiver);
  const found: NotifiedAlert[] = [];
  for (let pageToken = ""; ; ) {
    const page = await calls.call("listNotifiedAlerts", { ...request, pageToken }, context);
    found.push(...page.alerts);
    pageToken = page.nextPageToken;
    if (pageToken === "") return found;
    if (found.length >= MAX_LISTED) throw new BadMatcher(`more than ${MAX_LISTED} alerts match: give a filter`);
  }
}

function alertOf(alert: NotifiedAlert) {
  const { labels, annotations, fingerprint, generatorUrl, silencedBy, inhibitedBy, receivers } = alert;
  return {
    ...{ annotations, fingerprint, labels },
    endsAt: alert.endsAt === undefined ? new Date(Date.now() + STAYS_OPEN_MS).toISOString() : time(alert.endsAt),
    receivers: receivers.map((name) => ({ name })),
    startsAt: time(alert.startsAt as Timestamp),
    status: {
      inhibitedBy: inhibitedBy.map((each) => each.fingerprint),
      silencedBy,
      state: alert.state === NotifiedState.SUPPRESSED ? "suppressed" : "active",
    },
    updatedAt: time((alert.updatedAt ?? alert.startsAt) as Timestamp),
    ...(generatorUrl === "" ? {} : { generatorURL: generatorUrl }),
  };
}

type Labels = Readonly<Record<string, string>>;

/** As Alertmanager orders the alerts of a group: by job and instance, those without them last. */
function compareAlerts(a: Labels, b: Labels): number {
  for (const name of ["job", "instance"]) {
    const [ofA, ofB] = [Object.hasOwn(a, name), Object.hasOwn(b, name)];
    const order = ofA && ofB ? compare(a[name]!, b[name]!) : Number(ofB) - Number(ofA);
    if (order !== 0) return order;
  }
  return compareLabels(a, b);
}

/** As Prometheus orders sets of labels: the smaller ones first, and one without a label before one that has it. */
function compareLabels(a: Labels, b: Labels): number {
  const [ofA, ofB] = [Object.keys(a), Object.keys(b)];
  if (ofA.length !== ofB.length) return ofA.length - ofB.length;
  for (const name of [...new Set([...ofA, ...ofB])].sort()) {
    if (!Object.hasOwn(a, name)) return -1;
    if (!Object.hasOwn(b, name)) return 1;
    const order = compare(a[name]!, b[name]!);
    if (order !== 0) return order;
  }
  return 0;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function by<T>(keyOf: (item: T) => string): (a: T, b: T) => number {
  return (a, b) => compare(keyOf(a), keyOf(b));
}
