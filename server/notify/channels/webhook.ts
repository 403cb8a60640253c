/** Webhooks: Alertmanager's body, with the headers of CloudEvents and a signature. */
import { isoTime, toTimestamp } from "../../lib/time.ts";
import type { Channel } from "../channel.ts";
import type { WebhookConfig } from "../config/config.ts";
import type { Message } from "../message.ts";
import { httpChannel, messageId, type Posted } from "./http-channel.ts";
import type { ChannelOptions } from "./options.ts";
import { pictureFor } from "./picture.ts";
import { signatureHeaders } from "./signature.ts";
import { webhookBody } from "./webhook-body.ts";

export function webhook(config: WebhookConfig, options: ChannelOptions): Channel {
  const usualBody = async (message: Message) => {
    const picture = await pictureFor(message, config, options);
    return webhookBody(message, { maxAlerts: config.maxAlerts, picture });
  };
  const outgoing = async ({ message, secrets }: Posted) => {
    const { signingKey, payload } = config;
    const body = payload === undefined ? await usualBody(message) : Buffer.from(payload);
    const key = signingKey && (await secrets.read(signingKey, "the signing key of the webhook"));
    const timestamp = Math.floor(options.clock.nowUs() / 1e6);
    const signature = key ? signatureHeaders({ id: messageId(message), timestamp, body }, key) : {};
    return [{ body, headers: { ...cloudEvent(message, options.source), ...signature } }];
  };
  return httpChannel({ kind: "webhook", what: "the webhook", outgoing }, config, options);
}

function cloudEvent(message: Message, source: string): Record<string, string> {
  return {
    "ce-specversion": "1.0",
    "ce-id": messageId(message),
    "ce-type": `telltale.notification.${message.status}`,
    "ce-source": source,
    "ce-time": isoTime(toTimestamp(changedUs(message))),
  };
}

/** When the last of the message's alerts opened or closed: the same in every repetition. Microseconds. */
function changedUs({ alerts }: Message): number {
  return alerts.reduce((newest, { startsUs, endsUs }) => Math.max(newest, endsUs ?? startsUs), 0);
}
