/** Splunk On-Call, which was VictorOps: a group is one incident, which its last message ends. */
import type { Channel } from "../channel.ts";
import type { VictorOpsConfig } from "../config/config.ts";
import { type ChatView, chatText, fitting, PLAIN } from "./chat.ts";
import { httpChannel, json, type Posted } from "./http-channel.ts";
import { MAX_VICTOROPS_CHARACTERS } from "./limits.ts";
import type { ChannelOptions } from "./options.ts";
import { below, incidentKey } from "./texts.ts";

const TYPES: readonly string[] = ["CRITICAL", "WARNING", "INFO", "RECOVERY"];
const BY_SEVERITY: Readonly<Record<string, string>> = { high: "CRITICAL", medium: "WARNING", low: "INFO" };

export function victorOps(config: VictorOpsConfig, options: ChannelOptions): Channel {
  const outgoing = async ({ url, message, secrets }: Posted) => {
    const key = await secrets.read(config.apiKey, "the API key of VictorOps");
    const address = below(url, `${encodeURIComponent(key)}/${encodeURIComponent(config.routingKey)}`);
    const view = fitting(
      message,
      (each) => each,
      (each) => textOf(each).length <= MAX_VICTOROPS_CHARACTERS,
    );
    const wanted = (config.messageType ?? "").trim().toUpperCase();
    const type = TYPES.includes(wanted) ? wanted : (BY_SEVERITY[view.severity] ?? "CRITICAL");
    const body = json({
      ...config.customFields,
      message_type: message.status === "resolved" ? "RECOVERY" : type,
      entity_id: incidentKey(message),
      entity_display_name: config.title || view.subject,
      state_message: config.body || textOf(view),
      monitoring_tool: config.monitoringTool || "Telltale",
    });
    return [{ address, body }];
  };
  return httpChannel({ kind: "victorops", what: "VictorOps", outgoing }, config, options);
}

function textOf(view: ChatView): string {
  return chatText(view, PLAIN);
}
