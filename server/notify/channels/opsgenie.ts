/** Opsgenie, and Jira Service Management with its integrations: a group is one alert there, which its last message closes. */
import type { Channel } from "../channel.ts";
import type { OpsgenieConfig } from "../config/config.ts";
import type { Message } from "../message.ts";
import { type ChatView, chatText, fitting, PLAIN } from "./chat.ts";
import { httpChannel, json, type Posted } from "./http-channel.ts";
import { MAX_OPSGENIE_CHARACTERS, MAX_OPSGENIE_TITLE_CHARACTERS } from "./limits.ts";
import type { ChannelOptions } from "./options.ts";
import { beginning, below, incidentKey } from "./texts.ts";

const PRIORITIES: Readonly<Record<string, string>> = { critical: "P1", high: "P2", medium: "P3", low: "P4" };

export function opsgenie(config: OpsgenieConfig, options: ChannelOptions): Channel {
  const outgoing = async ({ url, message, secrets }: Posted) => {
    const key = await secrets.read(config.apiKey, "the API key of Opsgenie");
    const alias = incidentKey(message);
    const base = below(url, "v2/alerts");
    const view = fitting(
      message,
      (each) => each,
      (each) => description(each).length <= MAX_OPSGENIE_CHARACTERS,
    );
    const isOver = message.status === "resolved";
    return [
      {
        address: isOver ? `${base}/${alias}/close?identifierType=alias` : base,
        headers: { authorization: `GenieKey ${key}` },
        body: json(isOver ? closing(view, config) : opening(message, view, { alias, config })),
      },
    ];
  };
  return httpChannel({ kind: "opsgenie", what: "Opsgenie", outgoing }, config, options);
}

function closing(view: ChatView, { source }: OpsgenieConfig) {
  return { source: source || sourceOf(view), note: `${view.subject}\n\n${description(view)}` };
}

function opening(message: Message, view: ChatView, { alias, config }: { alias: string; config: OpsgenieConfig }) {
  const tags = (config.tags ?? "").split(",").map((tag) => tag.trim());
  const responders = config.responders.flatMap(({ type = "", ...who }) =>
    Object.values(who).every((each) => !each) ? [] : [{ ...who, type: type.toLowerCase() }],
  );
  const priority = (config.priority ?? "").trim().toUpperCase();
  return {
    alias,
    message: beginning(config.title || view.subject, MAX_OPSGENIE_TITLE_CHARACTERS),
    description: config.body || description(view),
    details: { ...message.commonLabels, ...config.details },
    source: config.source || sourceOf(view),
    priority: /^P[1-5]$/.test(priority) ? priority : (PRIORITIES[view.severity] ?? "P3"),
    ...(responders.length > 0 && { responders }),
    ...(tags.some(Boolean) && { tags: tags.filter(Boolean) }),
    ...(config.note && { note: config.note }),
    ...(config.entity && { entity: config.entity }),
    ...(config.actions && { actions: config.actions.split(",").map((action) => action.trim()) }),
  };
}

function sourceOf({ url }: ChatView): string {
  return url || "Telltale";
}

function description(view: ChatView): string {
  return chatText(view, PLAIN);
}
