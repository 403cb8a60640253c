import type { Environment } from "../../environment.ts";
import { either } from "../../lib/signals.ts";
import type { Sent } from "../channel.ts";
import type { Message } from "../message.ts";
import { secretsOfLinks } from "./act-links.ts";
import { failure, givenUp } from "./reason.ts";
import { Secrets } from "./secrets.ts";

/** One attempt to send a message. */
export interface Attempt {
  /** Aborts when the caller gives up, and when the time is over. */
  readonly signal: AbortSignal;
  readonly secrets: Secrets;
}

interface Limits {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  readonly environment: Environment;
  /** What is sent; absent: nothing that has links. */
  readonly message?: Message;
}

/** The attempt's outcome, or what its failure means. */
export async function attempt(limits: Limits, run: (attempt: Attempt) => Promise<Sent>): Promise<Sent> {
  const { signal, timeoutMs, environment } = limits;
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  const both = either(signal, over.signal);
  const secrets = new Secrets(environment);
  // A receiver may quote the message in its answer.
  if (limits.message !== undefined) secrets.hide(...secretsOfLinks(limits.message));
  try {
    return await run({ signal: both.signal, secrets });
  } catch (error) {
    return both.signal.aborted ? givenUp(both.signal.reason, secrets.known) : failure(error, secrets.known);
  } finally {
    clearTimeout(timer);
    both.leave();
  }
}
