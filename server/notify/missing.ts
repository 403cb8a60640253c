/** Files and variables that a configuration names and that are not there: messages that need them would fail. */
import type { Environment } from "../environment.ts";
import { SecretProblem, Secrets } from "./channels/secrets.ts";
import { MAX_PROBLEMS } from "./config/limits.ts";
import type { Problem } from "./config/problem.ts";
import type { Reference } from "./config/reference.ts";

/** By this process: in a cluster the one that notifies may have others. */
export async function missing(references: readonly Reference[], environment: Environment): Promise<Problem[]> {
  const found: Problem[] = [];
  for (const { to, ...place } of references) {
    if (found.length === MAX_PROBLEMS) break;
    const complaint = await complaintOf(to, environment);
    if (complaint !== undefined) found.push({ ...place, message: complaint });
  }
  return found;
}

async function complaintOf(to: Reference["to"], environment: Environment): Promise<string | undefined> {
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
