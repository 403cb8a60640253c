import type { HttpSettings, Secret } from "../config.ts";
import { DEFAULT_RESOLVE_TIMEOUT_MS } from "../limits.ts";
import { readDuration } from "./duration.ts";
import { readHttp } from "./http.ts";
import { readSecret, readSecretValue } from "./secret.ts";
import { readSmtp, SMTP_NAMES, type SmtpSettings } from "./smtp.ts";
import { baseUrlTrouble, tokenTrouble, urlTrouble } from "./troubles.ts";
import type { Fields, Known, Value } from "./value.ts";

export interface Global {
  readonly resolveTimeoutMs: number;
  readonly smtp: SmtpSettings;
  readonly http: HttpSettings;
  readonly slackUrl: Secret | undefined;
  readonly pagerDutyUrl: Secret | undefined;
  readonly opsgenieUrl: Secret | undefined;
  readonly opsgenieKey: Secret | undefined;
  readonly victorOpsUrl: Secret | undefined;
  readonly victorOpsKey: Secret | undefined;
  readonly telegramUrl: Secret | undefined;
  readonly telegramToken: Secret | undefined;
  readonly webexUrl: Secret | undefined;
  readonly mattermostUrl: Secret | undefined;
  readonly rocketChatUrl: Secret | undefined;
  readonly rocketChatToken: Secret | undefined;
  readonly rocketChatTokenId: Secret | undefined;
  readonly jiraUrl: Secret | undefined;
  /** Whether it has the setting, readable or not. */
  readonly has: (name: string) => boolean;
}

const PREFIX = "smtp_";

const GLOBAL: Known = {
  of: "global",
  names: [
    ...["resolve_timeout", "http_config", ...SMTP_NAMES.map((name) => PREFIX + name)],
    ...["slack_api_url", "slack_api_url_file", "pagerduty_url", "pagerduty_url_file"],
    ...["opsgenie_api_url", "opsgenie_api_key", "opsgenie_api_key_file"],
    ...["victorops_api_url", "victorops_api_key", "victorops_api_key_file"],
    ...["telegram_api_url", "telegram_api_url_file", "telegram_bot_token", "telegram_bot_token_file"],
    ...["webex_api_url", "mattermost_webhook_url", "mattermost_webhook_url_file", "jira_api_url"],
    ...["rocketchat_api_url", "rocketchat_token", "rocketchat_token_file"],
    ...["rocketchat_token_id", "rocketchat_token_id_file"],
  ],
  later: [
    ...["smtp_auth_identity", "smtp_auth_secret", "smtp_auth_secret_file"],
    ...["slack_app_token", "slack_app_token_file", "slack_app_url"],
    ...["wechat_api_url", "wechat_api_secret", "wechat_api_secret_file", "wechat_api_corp_id"],
  ],
};

export function readGlobal(value: Value | undefined): Global {
  const fields = value?.fields(GLOBAL);
  const timeout = fields?.get("resolve_timeout");
  const http = fields?.get("http_config");
  return {
    resolveTimeoutMs: (timeout && readDuration(timeout, { isPositive: true })) ?? DEFAULT_RESOLVE_TIMEOUT_MS,
    smtp: fields ? readSmtp(fields, PREFIX) : {},
    http: http ? readHttp(http) : {},
    slackUrl: fields && readSecret(fields, "slack_api_url", urlTrouble),
    pagerDutyUrl: fields && readSecret(fields, "pagerduty_url", urlTrouble),
    opsgenieUrl: urlOf(fields, "opsgenie_api_url"),
    opsgenieKey: fields && readSecret(fields, "opsgenie_api_key"),
    victorOpsUrl: urlOf(fields, "victorops_api_url"),
    victorOpsKey: fields && readSecret(fields, "victorops_api_key"),
    telegramUrl: fields && readSecret(fields, "telegram_api_url", baseUrlTrouble),
    telegramToken: fields && readSecret(fields, "telegram_bot_token", tokenTrouble),
    webexUrl: urlOf(fields, "webex_api_url", urlTrouble),
    mattermostUrl: fields && readSecret(fields, "mattermost_webhook_url", urlTrouble),
    rocketChatUrl: urlOf(fields, "rocketchat_api_url"),
    rocketChatToken: fields && readSecret(fields, "rocketchat_token"),
    rocketChatTokenId: fields && readSecret(fields, "rocketchat_token_id"),
    jiraUrl: urlOf(fields, "jira_api_url"),
    has: (name) => fields?.get(name) !== undefined,
  };
}

/** Of one that stands in no file. */
function urlOf(fields: Fields | undefined, name: string, check = baseUrlTrouble): Secret | undefined {
  const value = fields?.get(name);
  return value && readSecretValue(value, check);
}
