/** Settings of all channels over HTTP. */
import type { TemplateOptions, Text } from "../../templates/template.ts";
import type { Mode } from "../../templates/writers.ts";
import type { HttpChannelConfig, Secret } from "../config.ts";
import { DEFAULT_TIMEOUT_MS, MAX_TIMEOUT_MS } from "../limits.ts";
import { readDuration } from "./duration.ts";
import type { Global } from "./global.ts";
import { readHttp } from "./http.ts";
import { readSecret } from "./secret.ts";
import type { Fields } from "./value.ts";

/** A text above the platform's own where it is as it is, and in place of it where it is a template, as in Alertmanager. */
export function readBody(fields: Fields, name: string, options: TemplateOptions): { text?: string; body?: Text } {
  const text = fields.get(name)?.templated(options);
  if (text === undefined) return {};
  return typeof text === "string" ? { text } : { body: text };
}

export const HTTP_CHANNEL_NAMES = ["send_resolved", "http_config", "timeout"];

interface Defaults {
  readonly global: Global;
  readonly sendResolved: boolean;
}

export function readHttpChannel(
  fields: Fields,
  { global, sendResolved }: Defaults,
): Omit<HttpChannelConfig, "url" | "kind"> {
  const http = fields.get("http_config");
  const timeout = fields.get("timeout");
  return {
    ...(http ? readHttp(http) : global.http),
    sendResolved: fields.get("send_resolved")?.flag() ?? sendResolved,
    // Zero is Alertmanager's word for its default.
    timeoutMs: (timeout && readDuration(timeout, { mostMs: MAX_TIMEOUT_MS })) || DEFAULT_TIMEOUT_MS,
  };
}

/** Ours: whether a message comes with a picture. */
export function readPicture(fields: Fields, byDefault: boolean): { readonly picture: boolean } {
  return { picture: fields.get("picture")?.flag() ?? byDefault };
}

/** The secret of `name` or `name_file`; reports it where both are missing. */
export function requiredSecret(
  fields: Fields,
  name: string,
  check?: (text: string) => string | undefined,
): Secret | undefined {
  if (!fields.get(name) && !fields.get(`${name}_file`))
    return fields.at.problem(`has no ${name}: write ${name} or ${name}_file.`);
  return readSecret(fields, name, check);
}

/** Texts of one line by their names in the result; those that are not written are absent. */
export function readTexts<K extends string>(
  fields: Fields,
  names: Readonly<Record<K, string>>,
  mode?: Mode,
): { [N in K]?: Text } {
  const found: { [N in K]?: Text } = {};
  for (const [key, name] of Object.entries(names) as [K, string][]) {
    const text = fields.get(name)?.templatedLine(mode);
    if (text !== undefined) found[key] = text;
  }
  return found;
}
