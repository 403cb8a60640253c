import { quoted } from "../../../lib/quoted.ts";
import { MAX_BODY_BYTES, MAX_JIRA_CHARACTERS } from "../../channels/limits.ts";
import type { Text } from "../../templates/template.ts";
import type { JiraApiType, JiraConfig } from "../config.ts";
import { readDuration } from "./duration.ts";
import type { Global } from "./global.ts";
import { HTTP_CHANNEL_NAMES, readHttpChannel } from "./http-channel.ts";
import { readPayload } from "./payload.ts";
import { readSecretValue } from "./secret.ts";
import { baseUrlTrouble } from "./troubles.ts";
import type { Known, Value } from "./value.ts";

const JIRA: Known = {
  of: "an issue of Jira",
  names: [
    ...["api_url", "api_type", "project", "issue_type", "summary", "description", "labels", "priority", "fields"],
    ...["resolve_transition", "reopen_transition", "reopen_duration", "wont_fix_resolution", ...HTTP_CHANNEL_NAMES],
  ],
};
const FIELD: Known = { of: "a field of an issue", names: ["template", "enable_update"] };
const LABELS: Known = { of: "labels", names: ["values", "enable_update"] };
const API_TYPES: readonly string[] = ["auto", "cloud", "datacenter"];

export function readJira(value: Value, global: Global): JiraConfig<Text> | undefined {
  const fields = value.fields(JIRA);
  if (fields === undefined) return undefined;
  const own = fields.get("api_url");
  const url = own ? readSecretValue(own, baseUrlTrouble) : global.jiraUrl;
  if (own === undefined && !global.has("jira_api_url"))
    value.problem("has no api_url: write it here, or jira_api_url in global.");
  const project = fields.required("project")?.templatedPlace();
  const issueType = fields.required("issue_type")?.templatedPlace();
  const priority = fields.get("priority")?.templated({ mode: "text", most: MAX_JIRA_CHARACTERS, isWhole: false });
  const [resolveTransition, reopenTransition, wontFixResolution] = [
    ...["resolve_transition", "reopen_transition", "wont_fix_resolution"].map((name) => fields.get(name)?.line()),
  ];
  const reopen = fields.get("reopen_duration");
  const reopenDurationMs = reopen && readDuration(reopen);
  const further = readPayload(fields.get("fields"), MAX_BODY_BYTES);
  const parts = {
    apiType: readApiType(fields.get("api_type")),
    summary: readField(fields.get("summary")),
    description: readField(fields.get("description")),
    labels: readLabels(fields.get("labels")),
  };
  const http = readHttpChannel(fields, { global, sendResolved: true });
  if (url === undefined || project === undefined || issueType === undefined) return undefined;
  return {
    ...{ kind: "jira", url, project, issueType, ...parts },
    ...(priority !== undefined && { priority }),
    ...(resolveTransition !== undefined && { resolveTransition }),
    ...(reopenTransition !== undefined && { reopenTransition }),
    ...(wontFixResolution !== undefined && { wontFixResolution }),
    ...(reopenDurationMs !== undefined && { reopenDurationMs }),
    ...(further && { fields: further }),
    ...http,
  };
}

function readApiType(value: Value | undefined): JiraApiType {
  const text = value?.line();
  if (value === undefined || text === undefined) return "auto";
  if (!API_TYPES.includes(text)) value.problem(`${quoted(text)} is no type of API: write ${API_TYPES.join(", ")}.`);
  return text as JiraApiType;
}

/** A text, or an object with it that says whether later messages change it. */
function readField(value: Value | undefined): JiraConfig<Text>["summary"] {
  const options = { mode: "text", most: MAX_JIRA_CHARACTERS, isWhole: false } as const;
  const fields = value?.kind === "object" ? value.fields(FIELD) : undefined;
  const text = value?.kind === "object" ? fields?.get("template") : value;
  const read = text?.templated(options);
  return { ...(read !== undefined && { text: read }), update: fields?.get("enable_update")?.flag() ?? true };
}

function readLabels(value: Value | undefined): JiraConfig<Text>["labels"] {
  const fields = value?.kind === "object" ? value.fields(LABELS) : undefined;
  const list = value?.kind === "object" ? fields?.get("values") : value;
  const values = (list?.items() ?? []).flatMap((item) => item.templatedLine() ?? []);
  return { values, update: fields?.get("enable_update")?.flag() ?? true };
}
