/**
 * The last line of defence for secrets in what is written for people: whatever library quotes one in an error, it does not reach the
 * log. The first is that none gets into a message.
 */

const CENSORED = "[secret]";
/** Shorter ones stand in too many words. */
const MIN_CHARACTERS = 4;

const PATTERNS: readonly [RegExp, string][] = [
  // Our tokens, whole or cut off after the id; JWTs; whatever stands behind the name of a scheme.
  [/\btt_[0-9a-f]{16}_[\w-]*/g, CENSORED],
  [/\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*/g, CENSORED],
  [/\b(Bearer|Basic)(\s|\\[tnr]|%20|\\u[0-9a-f]{4})+[^"'<>{}\\\s]+/gi, `$1 ${CENSORED}`],
  // User and password of an address.
  [/([a-z][a-z0-9+.-]*:\/\/)[^\s"'/@\\]*@/gi, `$1${CENSORED}@`],
  [/([?&](?:password|token|secret)=)[^&\s"']*/gi, `$1${CENSORED}`],
];

/** The text without what looks like a secret, and without those that are known. */
export type Scrub = (text: string) => string;

/** @param secrets values that must not show, such as the administrator's token; undefined and short ones are left out */
export function createScrub(secrets: readonly (string | undefined)[] = []): Scrub {
  const known = secrets
    .filter((secret): secret is string => secret !== undefined && secret.length >= MIN_CHARACTERS)
    .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)]);
  const values = [...new Set(known)].sort((a, b) => b.length - a.length);
  return (text) => {
    let clean = text;
    for (const value of values) clean = clean.replaceAll(value, CENSORED);
    for (const [pattern, replacement] of PATTERNS) clean = clean.replace(pattern, replacement);
    return clean;
  };
}

/** The password of an address, as it was written and decoded. */
export function passwordsOf(address: string | undefined): string[] {
  if (address === undefined || !URL.canParse(address)) return [];
  const { password } = new URL(address);
  try {
    return [password, decodeURIComponent(password)];
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    return [password];
  }
}
