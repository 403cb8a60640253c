/** Why a message was not taken, as it is logged and shown: short, on one line, without secrets. */
import type { Sent } from "../channel.ts";
import { AddressProblem } from "./addresses.ts";
import { MAX_REASON_CHARACTERS } from "./limits.ts";
import { SecretProblem } from "./secrets.ts";
import { beginning, oneLine } from "./texts.ts";

/** Certificates that are not believed: they have to be replaced or trusted, and no repetition does that. */
const CERTIFICATE_CODES: ReadonlySet<string> = new Set([
  ...["DEPTH_ZERO_SELF_SIGNED_CERT", "SELF_SIGNED_CERT_IN_CHAIN", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
  ...["UNABLE_TO_GET_ISSUER_CERT", "UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "INVALID_PURPOSE", "CERT_UNTRUSTED"],
  ...["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID", "CERT_REVOKED", "CERT_REJECTED", "ERR_TLS_CERT_ALTNAME_INVALID"],
]);

/** Those of an authority that we do not know. */
const UNKNOWN_AUTHORITY = /SELF_SIGNED|UNABLE_TO/;

/**
 * The text without the secrets, however they are written in it.
 *
 * @param isCut the text was ended somewhere: what may be the beginning of a secret is taken off its end
 */
export function reasonOf(text: string, secrets: readonly string[], isCut = false): string {
  // The longest first: one secret may be a part of another.
  const forms = [...new Set(secrets.flatMap(formsOf))].sort((a, b) => b.length - a.length);
  const scrubbed = forms.reduce((rest, form) => rest.replaceAll(form, "***"), text);
  const kept = isCut ? scrubbed.slice(0, -(forms[0]?.length ?? 0) || undefined) : scrubbed;
  return beginning(oneLine(kept), MAX_REASON_CHARACTERS);
}

/** As it may be quoted in an answer: as it is, in an address, in JSON, in credentials. */
function formsOf(secret: string): string[] {
  const forms = [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)];
  return [...forms, Buffer.from(secret).toString("base64")].filter((form) => form !== "");
}

/**
 * What became of a message when sending it failed with the error.
 *
 * @throws the error itself where neither the network nor the configuration is to blame
 */
export function failure(error: unknown, secrets: readonly string[]): Sent {
  const reason = reasonOf(textOf(error), secrets);
  if (error instanceof AddressProblem) return { kind: "failed", reason };
  if (error instanceof SecretProblem) return { kind: error.transient ? "retry" : "failed", reason };
  const codes = codesOf(error);
  if (codes.length === 0) throw error;
  if (codes.some((code) => CERTIFICATE_CODES.has(code))) {
    // Behind a semicolon Node gives advice about its own start.
    const why = textOf(error).replace(/;.*/s, "");
    const advice = codes.some((code) => UNKNOWN_AUTHORITY.test(code))
      ? "; name its authority by tls_config.ca_file"
      : "";
    return { kind: "failed", reason: reasonOf(`the certificate is not trusted: ${why}${advice}`, secrets) };
  }
  // Node's own complaint of what it was given, such as a line break in a header.
  const isWrong = codes.some((code) => code.startsWith("ERR_INVALID_"));
  return { kind: isWrong ? "failed" : "retry", reason };
}

/** What became of a message that was given up before an answer came. It may have been taken: the repetition has its key. */
export function givenUp(reason: unknown, secrets: readonly string[]): Sent {
  return { kind: "retry", reason: reasonOf(`given up: ${textOf(reason)}`, secrets) };
}

/** The codes of an error and of what caused it; nodemailer keeps the first one as `originalCode`. */
function codesOf(error: unknown): string[] {
  const { code, originalCode, cause } = (error ?? {}) as { code?: unknown; originalCode?: unknown; cause?: unknown };
  const own = [code, originalCode].filter((each) => typeof each === "string");
  return cause === undefined ? own : [...own, ...codesOf(cause)];
}

/** Where several addresses were tried, an error has no message of its own. */
function textOf(error: unknown): string {
  if (error instanceof AggregateError) return [...new Set(error.errors.map(textOf))].join("; ");
  return error instanceof Error ? error.message || error.name : String(error);
}
