/** Addresses of e-mail, as far as a typing mistake shows: what exists, the mail server knows. */

const BARE = /^[^\s<>@,"]+@[^\s<>@,"]+$/;
const NAMED = /^(?:"[^"]*"|[^<>"@,]*)\s*<([^\s<>@,"]+@[^\s<>@,"]+)>$/;

/** `a@example.com` or `Ann <a@example.com>`. */
export function isAddress(text: string): boolean {
  const trimmed = text.trim();
  return BARE.test(trimmed) || NAMED.test(trimmed);
}

/** What stands between the commas, but for those in quotes. */
export function splitAddresses(text: string): string[] {
  return (text.match(/(?:"[^"]*"|[^,"])+|"/g) ?? []).map((each) => each.trim()).filter((each) => each !== "");
}
