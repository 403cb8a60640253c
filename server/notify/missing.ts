/** What a configuration names that is not there or may not be called: messages that need it would fail. */
import { setTimeout as delay } from "node:timers/promises";
import type { Environment } from "../environment.ts";
import { type AddressGuard, AddressProblem } from "./channels/addresses.ts";
import { SecretProblem, Secrets } from "./channels/secrets.ts";
import type { Secret } from "./config/config.ts";
import { MAX_PROBLEMS } from "./config/limits.ts";
import type { Problem } from "./config/problem.ts";
import type { Reference } from "./config/reference.ts";

/** Addresses that are judged, each host once: of others it is seen when a message goes there. */
const MOST_HOSTS = 20;
/** The same of names that take longer to look up than this, all together. */
const LOOKUP_MS = 2_000;

export interface Surroundings {
  readonly environment: Environment;
  /** Hosts that may be called. */
  readonly addresses: AddressGuard;
}

/** By this process: in a cluster the one that notifies may have other files and variables. */
export async function missing(references: readonly Reference[], around: Surroundings): Promise<Problem[]> {
  const refused = await refusedHosts(references, around.addresses);
  const found: Problem[] = [];
  for (const { to, ...place } of references) {
    if (found.length === MAX_PROBLEMS) break;
    const message = "url" in to ? refused.get(new URL(to.url).hostname) : await complaintOf(to, around.environment);
    if (message !== undefined) found.push({ ...place, message });
  }
  return found;
}

async function complaintOf(to: Secret, environment: Environment): Promise<string | undefined> {
  try {
    await new Secrets(environment).read(to, "messages cannot be sent");
    return undefined;
  } catch (error) {
    if (!(error instanceof SecretProblem)) throw error;
    const remedy =
      "env" in to
        ? "set it for the platform and start that again"
        : "the process that notifies must be able to read it";
    return `${error.message}: ${remedy}.`;
  }
}

/** Hosts that may not be called, with what is wrong. */
async function refusedHosts(references: readonly Reference[], addresses: AddressGuard): Promise<Map<string, string>> {
  const hosts = new Set(references.flatMap(({ to }) => ("url" in to ? [new URL(to.url).hostname] : [])));
  const refused = new Map<string, string>();
  const judged = [...hosts].slice(0, MOST_HOSTS).map(async (host) => {
    try {
      await addresses.checkName(host);
    } catch (error) {
      if (!(error instanceof AddressProblem)) throw error;
      refused.set(host, `messages cannot be sent: ${error.message}, and start the platform again.`);
    }
  });
  const late = new AbortController();
  const timer = delay(LOOKUP_MS, undefined, { signal: late.signal }).catch(() => undefined); // looked up in time
  try {
    await Promise.race([Promise.all(judged), timer]);
  } finally {
    late.abort();
  }
  return refused;
}
