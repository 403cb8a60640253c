/** incident.io: the body of a webhook for an alert source. A group is one alert there, by its key. */
import type { Channel } from "../channel.ts";
import type { IncidentIoConfig } from "../config/config.ts";
import { httpChannel, type Posted } from "./http-channel.ts";
import { MAX_INCIDENTIO_BYTES } from "./limits.ts";
import type { ChannelOptions } from "./options.ts";
import { webhookBody } from "./webhook-body.ts";

export function incidentIo(config: IncidentIoConfig, options: ChannelOptions): Channel {
  const { maxAlerts } = config;
  const outgoing = async ({ message, secrets }: Posted) => {
    const token = config.token && (await secrets.read(config.token, "the alert source's token of incident.io"));
    const body = webhookBody(message, { maxAlerts, version: "1", maxBytes: MAX_INCIDENTIO_BYTES });
    return [{ body, ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } }) }];
  };
  return httpChannel({ kind: "incidentio", what: "incident.io", outgoing }, config, options);
}
