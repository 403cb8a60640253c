/** Puts links into messages, by which people act without signing in. */
import { LINK_PATH } from "../../lib/link-path.ts";
import type { Logger } from "../../observe/logger.ts";
import { SecretProblem } from "../channels/secrets.ts";
import type { Delivery } from "../deliveries/store.ts";
import type { Message, NotifiedAlert } from "../message.ts";
import { FIRST_RECEIVED_ID } from "../received/received-alert.ts";
import type { LinkKeys } from "./keys.ts";
import { type LinkKey, writeLink } from "./link.ts";

export interface LinksOptions {
  readonly keys: LinkKeys;
  readonly lifetimeUs: number;
  readonly logger: Logger;
}

/**
 * The message with a link for each alert that can be acted on. It is signed when the message is sent, and not stored; while the key stays,
 * every repetition has the same.
 */
export async function withLinks(
  { message, createdUs }: Pick<Delivery, "message" | "createdUs">,
  { keys, lifetimeUs, logger }: LinksOptions,
): Promise<Message> {
  const { externalUrl, receiver } = message;
  if (externalUrl === "" || !message.alerts.some(isActable)) return message;
  const key = await newest(keys, logger);
  if (key === undefined) return message;
  const base = `${externalUrl.replace(/\/+$/, "")}${LINK_PATH}`;
  const expiresS = Math.floor((createdUs + lifetimeUs) / 1e6);
  const urlOf = ({ id }: NotifiedAlert) => `${base}${writeLink({ alertId: Number(id), receiver, expiresS }, key)}`;
  return {
    ...message,
    alerts: message.alerts.map((each) => (isActable(each) ? { ...each, actUrl: urlOf(each) } : each)),
  };
}

/** Of what is over only our own alerts are worth a word: whether they were right. Tests and broken channels have no page. */
function isActable({ id, status }: NotifiedAlert): boolean {
  const number = Number(id);
  return number > 0 && (status === "firing" || number < FIRST_RECEIVED_ID);
}

/** Undefined where there is none: a message without links is better than none. */
async function newest(keys: LinkKeys, logger: Logger): Promise<LinkKey | undefined> {
  try {
    return (await keys.read())[0];
  } catch (error) {
    if (!(error instanceof SecretProblem)) throw error;
    logger.error({ reason: error.message }, "a message is sent without links");
    return undefined;
  }
}
