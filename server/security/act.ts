import { isOwnOrigin } from "../lib/own-origin.ts";
import type { SecuritySettings } from "./settings.ts";

/** What a request says of the page that sent it, as browsers write it: nothing where no page did. */
export interface PageHeaders {
  readonly origin: string | undefined;
  readonly secFetchSite: string | undefined;
  /** The Host header, or HTTP/2's `:authority`. */
  readonly host: string;
}

/** Whether a request may change something; `undefined` where it may, else a sentence that says what to set. */
export type MayAct = (headers: PageHeaders) => string | undefined;

const REFUSAL =
  'Pages of other origins change nothing while AUTH is off: name the page\'s origin in ALLOWED_HOSTS, such as ["https://plant.example"] ("*" names none), or set AUTH=on';

/**
 * Where nobody is asked for a credential, whoever reaches the platform has all rights, and every page that is open in a browser
 * here reaches it. So a page acts only where it is our own, or where its origin is named. Programs send neither header.
 */
export function createActCheck(settings: SecuritySettings, origins: readonly string[]): MayAct {
  if (settings.auth) return () => undefined;
  const named = new Set(origins.filter((origin) => origin !== "*").map(normal));
  return ({ origin, secFetchSite, host }) => {
    if (origin !== undefined) return named.has(normal(origin)) || isOwnOrigin(origin, host) ? undefined : REFUSAL;
    // Browsers that leave the origin out say at least this; "none" is a person that typed an address.
    return secFetchSite === "cross-site" || secFetchSite === "same-site" ? REFUSAL : undefined;
  };
}

/** Origins are written without a path; a final slash is a frequent slip in a list. */
function normal(origin: string): string {
  return origin.toLowerCase().replace(/\/$/, "");
}
