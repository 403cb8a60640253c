import { StartupError } from "./errors.ts";

/** What a process is started with; an empty variable counts as unset. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Names the variable, its value and what is accepted. Never pass a secret as `got`. */
export function refuse(name: string, got: string, wanted: string): never {
  throw new StartupError(`${name} is ${JSON.stringify(got)}, but it must be ${wanted}.`);
}

export function text(env: Environment, name: string): string | undefined {
  const value = env[name]?.trim();
  return value === "" ? undefined : value;
}

export interface Range {
  readonly min: number;
  readonly max: number;
}

export function integer(env: Environment, name: string, fallback: number, { min, max }: Range): number {
  const value = text(env, name);
  if (value === undefined) return fallback;
  const number = /^[+-]?\d+$/.test(value) ? Number(value) : Number.NaN;
  if (!(number >= min && number <= max)) refuse(name, value, `a whole number from ${min} to ${max}`);
  return number;
}

/** A finite number strictly above `min` and at most `max`. */
export function decimal(env: Environment, name: string, fallback: number, { min, max }: Range): number {
  const value = text(env, name);
  if (value === undefined) return fallback;
  const number = Number(value);
  if (!(number > min && number <= max)) refuse(name, value, `a number above ${min}, at most ${max}`);
  return number;
}

/** One of the names, in any case; `aliases` are other spellings of them. */
export function choice<T extends string>(
  env: Environment,
  name: string,
  fallback: T,
  choices: readonly T[],
  aliases: Readonly<Record<string, T>> = {},
): T {
  const value = text(env, name);
  if (value === undefined) return fallback;
  const found = choices.find((each) => each.toLowerCase() === value.toLowerCase()) ?? aliases[value.toLowerCase()];
  return found ?? refuse(name, value, `one of ${choices.join(", ")}`);
}

export function flag(env: Environment, name: string, fallback: boolean): boolean {
  const value = text(env, name)?.toLowerCase();
  if (value === undefined) return fallback;
  if (["true", "1", "yes", "on"].includes(value)) return true;
  if (["false", "0", "no", "off"].includes(value)) return false;
  return refuse(name, value, "true or false");
}

/** A comma list without empty or repeated parts. */
export function list(env: Environment, name: string): readonly string[] | undefined {
  const value = text(env, name);
  if (value === undefined) return undefined;
  const parts = value.split(",").map((part) => part.trim());
  if (parts.includes("") || new Set(parts).size < parts.length) {
    refuse(name, value, "a comma list without empty or repeated parts");
  }
  return parts;
}

export function jsonStrings(env: Environment, name: string, fallback: readonly string[]): readonly string[] {
  const value = text(env, name);
  if (value === undefined) return fallback;
  const wanted = 'a JSON list of texts such as ["https://example.org"]';
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    refuse(name, value, wanted); // the parser's words would say less than this sentence
  }
  const good = Array.isArray(parsed) && parsed.every((each) => typeof each === "string" && each !== "");
  return good ? (parsed as string[]) : refuse(name, value, wanted);
}

/** An address with one of the schemes (without colon). A password in it is not repeated in the complaint. */
export function url(env: Environment, name: string, schemes: readonly string[]): string | undefined {
  const value = text(env, name);
  if (value === undefined) return undefined;
  const wanted = `an address that begins with ${schemes.map((scheme) => `${scheme}://`).join(" or ")}`;
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(value)?.[1]?.toLowerCase();
  if (scheme === undefined || !schemes.includes(scheme)) refuse(name, withoutPassword(value), wanted);
  if (!URL.canParse(value)) {
    refuse(name, withoutPassword(value), `an address such as ${scheme}://HOST:PORT, with a number as port`);
  }
  return value;
}

/** The address with `***` where a user and password stand, for messages and logs. */
export function withoutPassword(address: string): string {
  // Up to the last @: a password may hold any character unescaped, and the scheme may be what is wrong.
  return address.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/i, "$1***@").replace(/([?&]password=)[^&]*/i, "$1***");
}
