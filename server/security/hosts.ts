import { isLoopback, type SecuritySettings } from "./settings.ts";

/**
 * Which Host headers are answered. Without authentication and on the loopback only its own names: a page of another site that
 * made its name point to this machine (DNS rebinding) calls by that name. Else any: names are the network's matter, and a
 * credential is asked for.
 */
export function createHostCheck(settings: SecuritySettings, bindAddress: string): (authority: string) => boolean {
  if (settings.auth || settings.allowUnauthenticatedNetworkAccess || !isLoopback(bindAddress)) return () => true;
  return (authority) => isLoopback(hostOf(authority));
}

/** The host without port and without a final dot. */
function hostOf(authority: string): string {
  return authority.replace(/:\d+$/, "").replace(/\.$/, "");
}
