/** Addresses of e-mail, as far as a typing mistake shows: what exists, the mail server knows. */
import { quoted } from "../../../lib/quoted.ts";

const BARE = /^[^\s<>@,"]+@[^\s<>@,"]+$/;
const NAMED = /^(?:"[^"]*"|[^<>"@,]*)\s*<([^\s<>@,"]+@[^\s<>@,"]+)>$/;

/** `a@example.com` or `Ann <a@example.com>`. */
export function isAddress(text: string): boolean {
  const trimmed = text.trim();
  return BARE.test(trimmed) || NAMED.test(trimmed);
}

/** Each once, as a template for all alerts of a message would name some of them again and again. */
export function distinctAddresses(text: string): string {
  return [...new Set(splitAddresses(text))].join(", ");
}

/** Why the text is no list of addresses. */
export function recipientsTrouble(text: string): string | undefined {
  const addresses = splitAddresses(text);
  const wrong = addresses.find((each) => !isAddress(each));
  if (addresses.length > 0 && wrong === undefined) return undefined;
  return `${quoted(wrong ?? text)} is no address: write name@example.com, and commas between several.`;
}

/** What stands between the commas, but for those in quotes. */
function splitAddresses(text: string): string[] {
  return (text.match(/(?:"[^"]*"|[^,"])+|"/g) ?? []).map((each) => each.trim()).filter((each) => each !== "");
}
