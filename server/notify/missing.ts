/** What a configuration names that is not there or may not be called: messages that need it would fail. */
import { setTimeout as delay } from "node:timers/promises";
import type { Environment } from "../environment.ts";
import { type AddressGuard, AddressProblem } from "./channels/addresses.ts";
import { SecretProblem, Secrets } from "./channels/secrets.ts";
import { MAX_PROBLEMS } from "./config/limits.ts";
import type { Problem } from "./config/problem.ts";
import type { Reference } from "./config/reference.ts";

/** A name that takes longer to look up is judged when a message goes there. */
const LOOKUP_MS = 2_000;

export interface Surroundings {
  readonly environment: Environment;
  /** Hosts that may be called. */
  readonly addresses: AddressGuard;
}

/** By this process: in a cluster the one that notifies may have other files and variables. */
export async function missing(references: readonly Reference[], around: Surroundings): Promise<Problem[]> {
  const complaints = new Map<string, Promise<string | undefined>>();
  const asked = references.map(async ({ to, ...place }) => {
    const key = JSON.stringify("url" in to ? { host: new URL(to.url).host } : to);
    const complaint = complaints.get(key) ?? complaintOf(to, around);
    complaints.set(key, complaint);
    const message = await complaint;
    return message === undefined ? [] : [{ ...place, message }];
  });
  return (await Promise.all(asked)).flat().slice(0, MAX_PROBLEMS);
}

async function complaintOf(to: Reference["to"], { environment, addresses }: Surroundings): Promise<string | undefined> {
  try {
    if ("url" in to) await mayCall(new URL(to.url), addresses);
    else await new Secrets(environment).read(to, "messages cannot be sent");
    return undefined;
  } catch (error) {
    if (error instanceof AddressProblem)
      return `messages cannot be sent: ${error.message}, and start the platform again.`;
    if (!(error instanceof SecretProblem)) throw error;
    const remedy =
      "env" in to
        ? "set it for the platform and start that again"
        : "the process that notifies must be able to read it";
    return `${error.message}: ${remedy}.`;
  }
}

async function mayCall({ hostname }: URL, addresses: AddressGuard): Promise<void> {
  const late = new AbortController();
  const timer = delay(LOOKUP_MS, undefined, { signal: late.signal }).catch(() => undefined); // looked up in time
  try {
    await Promise.race([addresses.checkName(hostname), timer]);
  } finally {
    late.abort();
  }
}
