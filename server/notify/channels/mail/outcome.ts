/** What a mail server's answers mean. */
import type { Sent } from "../../channel.ts";
import { failure, reasonOf } from "../reason.ts";

/** As nodemailer describes an answer that was not the one wanted, and an address that was refused. */
interface Refusal {
  readonly code?: string | undefined;
  readonly response?: string | undefined;
  readonly responseCode?: number | undefined;
  /** Whether the same e-mail would get the same answer again. */
  readonly permanent?: boolean | undefined;
  readonly command?: string | undefined;
  readonly recipient?: string | undefined;
}

interface Accepted {
  readonly accepted?: readonly unknown[] | undefined;
  readonly rejectedErrors?: readonly Refusal[] | undefined;
}

/** What became of an e-mail that the server refused, or that never reached it. */
export function refusal(
  error: unknown,
  { needsTls, secrets }: { needsTls: boolean; secrets: readonly string[] },
): Sent {
  const { command, responseCode, code, response } = error as Refusal;
  if (command === "STARTTLS" && needsTls && responseCode !== undefined && responseCode >= 500) {
    const reason = "the mail server offers no STARTTLS, but TLS is required (require_tls, or a password is sent)";
    return { kind: "failed", reason: reasonOf(`${reason}: ${response}`, secrets) };
  }
  if (responseCode !== undefined) return answered(error as Refusal, secrets);
  // What nodemailer refuses to send: an address that is none, an e-mail that the server says is too large.
  if (code === "EENVELOPE" || code === "EMESSAGE") {
    return { kind: "failed", reason: reasonOf((error as Error).message, secrets) };
  }
  return failure(error, secrets);
}

/**
 * Whether all who should get the e-mail do. Where one may get it later, all are tried again, by the same Message-ID; where one never
 * will, the e-mail has failed, although others have it: somebody was not told.
 */
export function rejections({ accepted = [], rejectedErrors = [] }: Accepted, secrets: readonly string[]): Sent {
  const final = rejectedErrors.find(({ permanent }) => permanent === true);
  const worst = final ?? rejectedErrors[0];
  if (worst === undefined) return { kind: "ok" };
  const count = `${rejectedErrors.length} of ${rejectedErrors.length + accepted.length} addresses were refused`;
  const reason = reasonOf(`${count}, ${worst.recipient}: ${worst.response}`, secrets);
  return { kind: final === undefined ? "retry" : "failed", reason };
}

function answered({ permanent, response }: Refusal, secrets: readonly string[]): Sent {
  return { kind: permanent ? "failed" : "retry", reason: reasonOf(`the mail server answered ${response}`, secrets) };
}
