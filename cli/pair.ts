import { InvalidArgumentError } from "commander";

/** Parser of an option that is given several times as NAME=VALUE, for commander. */
export function readPair(text: string, before: readonly (readonly [string, string])[] = []) {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("Wanted NAME=VALUE.");
  return [...before, [text.slice(0, at), text.slice(at + 1)] as const];
}
