/** What relates sensors: texts that two of them have in common. */
import type { Input } from "./input.ts";

/** A parent with fewer names than this, such as a site, holds too much to say that two sensors are related. */
const MIN_PARENT_NAMES = 2;

type KeyKind = "sensor" | "asset" | "attribute";

interface Key {
  readonly kind: KeyKind;
  /** Name of the attribute; "asset", "sensor". */
  readonly name: string;
  readonly value: string;
}

/** The strongest first. The values stand last, so that no value can be taken for another name. */
export function keysOf({ sensorId, facts }: Input, attributes: readonly string[]): string[] {
  const keys = [`sensor/${sensorId}`];
  if (facts.asset !== "") {
    keys.push(`asset/${facts.asset}`);
    const names = facts.asset.split("/");
    if (names.length > MIN_PARENT_NAMES) keys.push(`asset/${names.slice(0, -1).join("/")}`);
  }
  for (const name of attributes) {
    const value = Object.hasOwn(facts.attributes, name) ? facts.attributes[name]! : "";
    if (value !== "") keys.push(`attribute/${encodeURIComponent(name)}/${value}`);
  }
  return keys;
}

export function readKey(key: string): Key {
  const [kind, rest] = split(key);
  if (kind !== "attribute") return { kind: kind as KeyKind, name: kind, value: rest };
  const [name, value] = split(rest);
  return { kind, name: decodeURIComponent(name), value };
}

function split(text: string): [before: string, behind: string] {
  const at = text.indexOf("/");
  return [text.slice(0, at), text.slice(at + 1)];
}
