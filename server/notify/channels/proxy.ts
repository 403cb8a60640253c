/** Proxies between us and receivers: whom to ask for an address, and which addresses are called without one. */
import { isIP } from "node:net";
import ipaddr from "ipaddr.js";
import type { Environment } from "../../environment.ts";
import type { ProxyConfig } from "../config/config.ts";
import { proxyTrouble } from "../config/read/troubles.ts";
import { SecretProblem, type Secrets } from "./secrets.ts";

export interface HttpProxy {
  /** As it is called: without a user. */
  readonly url: URL;
  /** For the proxy alone. */
  readonly headers: Readonly<Record<string, string>>;
}

interface Asking {
  readonly secrets: Secrets;
  readonly environment: Environment;
  /** Whose it is, for the complaint: "the webhook". */
  readonly what: string;
}

/**
 * Undefined: the target is called without one.
 *
 * @throws SecretProblem where its address or a header is not there
 */
export async function proxyFor(
  config: ProxyConfig | undefined,
  target: URL,
  { secrets, environment, what }: Asking,
): Promise<HttpProxy | undefined> {
  if (config === undefined) return undefined;
  const { from, headers = {} } = config;
  const given =
    from === "environment"
      ? fromEnvironment(environment, target)
      : { address: await secrets.read(from, `the proxy of ${what}`), noProxy: config.noProxy ?? "" };
  if (given.address === "" || isPassed(given.noProxy, target)) return undefined;
  if (proxyTrouble(given.address) !== undefined) {
    const name = from === "environment" ? ` of ${target.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY"}` : "";
    throw new SecretProblem(`the proxy of ${what}: the address${name} is none with http:// or https://`, false);
  }
  const url = new URL(given.address);
  const own = await Promise.all(
    Object.entries(headers).map(async ([name, values]) => {
      const texts = await Promise.all(values.map((value) => secrets.read(value, `the header ${name} for the proxy`)));
      return [name, texts.join(", ")] as const;
    }),
  );
  const credentials = credentialsOf(url, secrets);
  url.username = "";
  url.password = "";
  return { url, headers: { ...credentials, ...Object.fromEntries(own) } };
}

function credentialsOf({ username, password }: URL, secrets: Secrets): Record<string, string> {
  if (username === "" && password === "") return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const encoded = Buffer.from(pair).toString("base64");
  secrets.hide(encoded, decodeURIComponent(password), password);
  return { "proxy-authorization": `Basic ${encoded}` };
}

/** As Go and curl have it: names in either case, the lower one first. */
function fromEnvironment(environment: Environment, { protocol }: URL): { address: string; noProxy: string } {
  const named = (name: string) => environment[name.toLowerCase()] || environment[name] || "";
  const address = named(protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY");
  return {
    address: address === "" || address.includes("://") ? address : `http://${address}`,
    noProxy: named("NO_PROXY"),
  };
}

/** Whether the list has the host: `*`, an address, a range of addresses, or a name, which stands for those below it too; a port after it. */
export function isPassed(noProxy: string, { hostname, port, protocol }: URL): boolean {
  const host = hostname.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
  const ofHost = port || (protocol === "https:" ? "443" : "80");
  return noProxy.split(",").some((entry) => {
    const text = entry.trim().toLowerCase();
    if (text === "*") return true;
    if (text.includes("/")) return isIP(host) !== 0 && ipaddr.isValidCIDR(text) && isWithin(host, text);
    const [, name = text, wantedPort] = /^(.*[^:]):(\d+)$/.exec(text) ?? [];
    const bare = name.replace(/^\[(.*)\]$/, "$1");
    if (wantedPort !== undefined && isIP(text) === 0 && wantedPort !== ofHost) return false;
    const wanted = isIP(text) === 0 ? bare : text;
    if (wanted === "") return false;
    if (isIP(wanted) !== 0 && isIP(host) !== 0)
      return ipaddr.process(wanted).toString() === ipaddr.process(host).toString();
    // A dot before it: only those below.
    return host.endsWith(wanted.startsWith(".") ? wanted : `.${wanted}`) || host === wanted;
  });
}

function isWithin(host: string, range: string): boolean {
  const [network, bits] = ipaddr.parseCIDR(range);
  const address = ipaddr.process(host);
  return address.kind() === network.kind() && (address as ipaddr.IPv6).match(network as ipaddr.IPv6, bits);
}
