import type { ProxyConfig, Secret } from "../config.ts";
import { readSecretValue } from "./secret.ts";
import { proxyTrouble } from "./troubles.ts";
import type { Fields } from "./value.ts";

/** Of `http_config` and of its `oauth2`. */
export const PROXY_NAMES = ["proxy_url", "no_proxy", "proxy_from_environment", "proxy_connect_header"];

export function readProxy(fields: Fields): ProxyConfig | undefined {
  const url = fields.get("proxy_url");
  const noProxy = fields.get("no_proxy");
  const environment = fields.get("proxy_from_environment");
  const header = fields.get("proxy_connect_header");
  const fromEnvironment = environment?.flag() ?? false;
  if (fromEnvironment && url !== undefined) url.problem("stands beside proxy_from_environment: remove one of the two.");
  if (noProxy !== undefined && url === undefined)
    noProxy.problem("stands without proxy_url: add that, or remove it. NO_PROXY counts for proxy_from_environment.");
  if (header !== undefined && url === undefined && !fromEnvironment)
    header.problem("stands without a proxy: add proxy_url, or remove it.");
  const address = url && readSecretValue(url, proxyTrouble);
  const passed = noProxy?.line();
  const headers: Record<string, readonly Secret[]> = {};
  for (const [name, each] of header?.entries() ?? [])
    headers[name.toLowerCase()] = each.items().flatMap((item) => readSecretValue(item, headerTrouble) ?? []);
  if (address === undefined && !fromEnvironment) return undefined;
  return {
    from: address ?? "environment",
    ...(passed !== undefined && { noProxy: passed }),
    ...(header && { headers }),
  };
}

/** What is wrong with a text that becomes a header's value. */
export function headerTrouble(text: string): string | undefined {
  return /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text)
    ? undefined
    : "has a character that no header may have.";
}
