import { TelltaleError } from "../../../errors.ts";
import { quoted } from "../../../lib/quoted.ts";

/** Fields of their own in what nodemailer is given. */
export interface OwnHeaders {
  readonly subject?: string;
  readonly from?: string;
  readonly to?: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What makes an e-mail readable, joins conversations and stops answering machines: not for the configuration to change. */
const RESERVED =
  /^(content-.*|mime-version|message-id|in-reply-to|references|auto-submitted|bcc|date|received|return-path)$/i;
/** RFC 5322: printable ASCII without a colon. */
const NAME = /^[!-9;-~]{1,100}$/;

/**
 * Headers of the configuration, those apart that are shown instead of our own.
 *
 * @throws TelltaleError "invalid" where one may not be set
 */
export function ownHeaders(configured: Readonly<Record<string, string>>): OwnHeaders {
  const own: { subject?: string; from?: string; to?: string; headers: Record<string, string> } = { headers: {} };
  for (const [name, value] of Object.entries(configured)) {
    if (!NAME.test(name)) throw invalid(name, "is no name of a header");
    if (isReserved(name)) throw invalid(name, "is set by the platform and cannot be changed");
    if (/[\r\n\0]/.test(value)) throw invalid(name, "has a line break in its value");
    const lower = name.toLowerCase();
    if (lower === "subject" || lower === "from" || lower === "to") own[lower] = value;
    else own.headers[name] = value;
  }
  return own;
}

/** Whether the platform sets the header, so that a configuration cannot. */
export function isReserved(name: string): boolean {
  return RESERVED.test(name);
}

function invalid(name: string, what: string): TelltaleError {
  return new TelltaleError("invalid", `The e-mail header ${quoted(name)} ${what}.`);
}
