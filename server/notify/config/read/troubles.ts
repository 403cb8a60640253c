/** What is wrong with texts that may be secrets, without quoting them. */

/** What is wrong with an address, which may have a secret in it. */
export function urlTrouble(text: string): string | undefined {
  if (text.includes("{{")) return "has a template: templates are not available yet; write the address itself.";
  if (!URL.canParse(text) || !/^https?:\/\//i.test(text))
    return "is no address: write http:// or https:// with a host.";
  const { username, password } = new URL(text);
  return username === "" && password === "" ? undefined : "has a user in it: write http_config.basic_auth instead.";
}

/** As `urlTrouble`, of an address to which a path is added. */
export function baseUrlTrouble(text: string): string | undefined {
  const wrong = urlTrouble(text);
  if (wrong !== undefined) return wrong;
  return /[?#]/.test(text) ? "has a ? or #: write the address up to there." : undefined;
}

/** The token becomes a part of the path. */
export function tokenTrouble(text: string): string | undefined {
  return /^[\w:-]+$/.test(text) ? undefined : "is no token of a bot: write it as BotFather gave it, digits:letters.";
}

/** What is wrong with the address of a proxy, which may have a password in it. */
export function proxyTrouble(text: string): string | undefined {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    return "is no address of a proxy: write http:// or https:// with a host.";
  return undefined;
}
