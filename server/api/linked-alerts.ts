/** Acting from a message: whoever was sent a link to an alert may look at that alert, and say or do something about it. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { Sql } from "postgres";
import { Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import {
  LinkAction,
  type LinkedAlertSchema,
  type NotificationService,
} from "../../gen/es/telltale/v1/notification_pb.ts";
import type { Clock } from "../clock.ts";
import { instant } from "../detect/index.ts";
import type { Environment } from "../environment.ts";
import { TelltaleError } from "../errors.ts";
import { toTimestamp } from "../lib/time.ts";
import { SecretProblem } from "../notify/channels/secrets.ts";
import { alertView } from "../notify/channels/view.ts";
import { LinkKeys } from "../notify/links/keys.ts";
import { type AlertLink, type LinkKey, readLink } from "../notify/links/link.ts";
import { LinkPace } from "../notify/links/pace.ts";
import type { LinkSettings } from "../notify/links/settings.ts";
import { matchersOf, silenceFor } from "../notify/links/silence.ts";
import { acknowledgeReceived } from "../notify/received/store.ts";
import { SilencesInForce } from "../notify/silences/in-force.ts";
import { Attempts } from "../security/attempts.ts";
import type { Queries } from "../store/queries.ts";
import type { AlertActions } from "./alerts.ts";
import { findTarget, type LinkTarget } from "./link-target.ts";
import { peerKey, principalKey } from "./principal.ts";

export interface LinkOptions {
  readonly sql: Sql;
  readonly queries: Queries;
  readonly clock: Clock;
  readonly environment: Environment;
  readonly links: LinkSettings;
  /** Where people reach the platform; empty: unknown. */
  readonly externalUrl: string;
  readonly acts: AlertActions;
  /** Tells the process that decides on notifications that something was committed. */
  readonly wake: () => void;
}

type Names = "getLinkedAlert" | "actByLink" | "revokeLinks";

const SILENCES: ReadonlyMap<LinkAction, number> = new Map([
  [LinkAction.SILENCE_1H, 1],
  [LinkAction.SILENCE_8H, 8],
]);
const IS_RIGHT: ReadonlyMap<LinkAction, boolean> = new Map([
  [LinkAction.RIGHT, true],
  [LinkAction.WRONG, false],
]);

export function createLinkMethods(o: LinkOptions): Pick<ServiceImpl<typeof NotificationService>, Names> {
  const { sql, clock, links } = o;
  const keys = new LinkKeys({ sql, clock, environment: o.environment, given: links.keys });
  const attempts = new Attempts(clock);
  const pace = new LinkPace(clock);
  const silences = new SilencesInForce();

  /** @throws TelltaleError "unimplemented", "unauthenticated" or "forbidden" */
  async function read(link: string, { values }: HandlerContext): Promise<AlertLink> {
    if (!links.enabled) throw new TelltaleError("unimplemented", "Links in messages are switched off.");
    const { address } = values.get(peerKey);
    const found = await attempts.check({ address, authorization: null }, async () => {
      const known = readLink(link, await keysNow(keys));
      if (known !== undefined) return known;
      throw new TelltaleError("unauthenticated", "This link is none of ours, is not whole, or was revoked.");
    });
    const expiresUs = found.expiresS * 1e6;
    if (clock.nowUs() < expiresUs) return found;
    throw new TelltaleError("forbidden", `This link could be used until ${instant(expiresUs)}.`);
  }

  async function targetOf({ alertId }: AlertLink): Promise<LinkTarget> {
    const found = await findTarget(o, alertId, clock.nowUs());
    if (found !== undefined) return found;
    throw new TelltaleError("not_found", `Alert ${alertId} was deleted: there is nothing left to do.`);
  }

  async function view(link: AlertLink, target: LinkTarget): Promise<MessageInitShape<typeof LinkedAlertSchema>> {
    const { alert, row, isOver, acknowledged } = target;
    const nowUs = clock.nowUs();
    const [silence] = (await silences.read(sql, nowUs)).all(alert.labels, nowUs).sort((a, b) => b.endsUs - a.endsUs);
    const { severity, title, facts, description, runbookUrl } = alertView(alert, alert.annotations.runbook_url ?? "");
    return {
      ...{ severity, title, description, runbookUrl, receiver: link.receiver, over: isOver },
      alertId: BigInt(link.alertId),
      expiresAt: toTimestamp(link.expiresS * 1e6),
      facts: facts.map(([name, value]) => ({ name, value })),
      url: o.externalUrl,
      done: [
        ...(isOver ? ["The alert is over."] : []),
        ...(acknowledged === undefined ? [] : [acknowledgedText(acknowledged)]),
        ...(silence === undefined || isOver ? [] : [`Silenced until ${instant(silence.endsUs)}.`]),
        ...(typeof row?.label?.correct === "boolean" ? [labelText(row.label.correct, row.label.labelledBy)] : []),
      ],
      actions: [
        ...(isOver || acknowledged !== undefined ? [] : [LinkAction.ACKNOWLEDGE]),
        ...(isOver ? [] : SILENCES.keys()),
        ...(row === undefined ? [] : IS_RIGHT.keys()),
      ],
    };
  }

  /** What was done, in a sentence. */
  async function perform(link: AlertLink, action: LinkAction, context: HandlerContext): Promise<string> {
    const target = await targetOf(link);
    const hours = SILENCES.get(action);
    const correct = IS_RIGHT.get(action);
    if (correct !== undefined) return label(target, correct, context);
    if (target.isOver) throw new TelltaleError("conflict", "The alert is over: nothing was changed.");
    if (hours === undefined) return acknowledge(link, target, context);
    const { labels } = target.alert;
    const author = authorOf(link);
    const matchers = matchersOf(labels, target.row === undefined);
    const { endsUs } = await silenceFor(sql, { matchers, author, hours }, clock.nowUs());
    o.wake();
    return `Silenced until ${instant(endsUs)}.`;
  }

  async function acknowledge({ alertId, receiver }: AlertLink, target: LinkTarget, context: HandlerContext) {
    const { row, acknowledged } = target;
    if (acknowledged !== undefined) return `${acknowledgedText(acknowledged)} Nothing was changed.`;
    if (row !== undefined) {
      const value = { alertId: BigInt(alertId), sensorId: row.sensorId };
      const { acknowledgedBy } = await o.acts.act(row, { case: "acknowledge", value }, context);
      return `Acknowledged by ${acknowledgedBy}.`;
    }
    const by = authorOf({ receiver });
    const done = await acknowledgeReceived(sql, { id: alertId, sensorPrefix: "", by }, clock.nowUs());
    if (done === undefined) throw new TelltaleError("conflict", "The alert is over: nothing was changed.");
    o.wake();
    return `Acknowledged by ${done.by}.`;
  }

  async function label({ row }: LinkTarget, correct: boolean, context: HandlerContext): Promise<string> {
    if (row === undefined) {
      throw new TelltaleError("conflict", "Another program raised this alert: whether it was right is not asked here.");
    }
    const word = correct ? "right" : "wrong";
    if (row.label?.correct === correct) return `It was labelled ${word} before. Nothing was changed.`;
    const { sensorId, detector } = row;
    const value = { alertId: BigInt(row.id), sensorId, correct, comment: "", withdrawn: false, detector };
    await o.acts.act(row, { case: "label", value }, context);
    return `Labelled ${word}.`;
  }

  return {
    async getLinkedAlert({ link }, context) {
      const found = await read(link, context);
      return { alert: await view(found, await targetOf(found)) };
    },
    async actByLink({ link, action }, context) {
      const found = await read(link, context);
      const retryAfterMs = pace.take(link);
      if (retryAfterMs > 0) {
        throw new TelltaleError("exhausted", "This link was used too often: wait a moment.", { retryAfterMs });
      }
      // From here on it is the receiver that acts, in the alert's history and on record.
      const scopes = new Set([Scope.OPERATE]);
      context.values.set(principalKey, { name: authorOf(found), scopes, sensorPrefix: "" });
      const summary = await perform(found, action, context);
      return { summary, alert: await view(found, await targetOf(found)) };
    },
    async revokeLinks() {
      return { revokedAt: toTimestamp(await keys.revoke()) };
    },
  };
}

function authorOf({ receiver }: Pick<AlertLink, "receiver">): string {
  return `link to ${receiver}`;
}

function acknowledgedText({ by, atUs }: { by: string; atUs: number }): string {
  return `Acknowledged by ${by} at ${instant(atUs)}.`;
}

function labelText(correct: boolean, by: string): string {
  return `Labelled ${correct ? "right" : "wrong"} by ${by}.`;
}

/** @throws TelltaleError "unavailable" where they cannot be had */
async function keysNow(keys: LinkKeys): Promise<readonly LinkKey[]> {
  try {
    return await keys.read();
  } catch (error) {
    if (!(error instanceof SecretProblem)) throw error;
    throw new TelltaleError("unavailable", "Links cannot be checked now.", { cause: error });
  }
}
