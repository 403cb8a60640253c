import { isLoopback } from "../lib/authority.ts";
import type { AllowsOrigin } from "../lib/cors.ts";
import type { SecuritySettings } from "./settings.ts";

/**
 * Which Host headers are answered. Without authentication and on the loopback only its own names: a page of another site that
 * made its name point to this machine (DNS rebinding) calls by that name. Else any: names are the network's matter, and a
 * credential is asked for.
 */
export function createHostCheck(settings: SecuritySettings, bindAddress: string): (authority: string) => boolean {
  if (settings.auth || settings.allowUnauthenticatedNetworkAccess || !isLoopback(bindAddress)) return () => true;
  return isLoopback;
}

/**
 * Pages of which origins may call the services by Connect; `origins` are such as https://example.com, or "*". Where nobody is
 * asked for a credential, "*" means pages of this machine: any site that is open in a browser here could call otherwise. Where
 * somebody is, "*" lets pages call, but never with what the browser keeps: as on the HTTP listener.
 */
export function createOriginCheck(settings: SecuritySettings, origins: readonly string[]): AllowsOrigin {
  const allows = originsThatMayCall(settings, new Set(origins));
  return (origin) => {
    if (!allows(origin)) return "no";
    return !settings.auth || origins.includes(origin) ? "with credentials" : "yes";
  };
}

function originsThatMayCall(settings: SecuritySettings, known: ReadonlySet<string>): (origin: string) => boolean {
  if (!known.has("*")) return (origin) => known.has(origin);
  if (settings.auth || settings.allowUnauthenticatedNetworkAccess) return () => true;
  return (origin) => known.has(origin) || isLoopback(origin.replace(/^https?:\/\//, ""));
}
