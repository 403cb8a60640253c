import { quoted } from "../../../lib/quoted.ts";
import type { Secret } from "../config.ts";
import { baseUrlTrouble, proxyTrouble, urlTrouble } from "./troubles.ts";
import type { Fields, Value } from "./value.ts";

const REFERENCE = /^\$\{(.*)\}$/s;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
const REFERENCE_WITHIN = /\$\{[A-Za-z_][A-Za-z0-9_]*\}/;
/** What they let pass is an address that messages go to. */
const OF_ADDRESSES: ReadonlySet<(text: string) => string | undefined> = new Set([
  urlTrouble,
  baseUrlTrouble,
  proxyTrouble,
]);
// Alertmanager takes others from its own folder: whoever reads the secret here has no such folder.
const ABSOLUTE = /^(?:\/|[A-Za-z]:[\\/])/;

/**
 * The secret of a name: written there, or `${NAME}` of the environment; or the path of a file under `NAME_file`.
 *
 * @param check of one that is written there: what is wrong with it, without quoting it
 */
export function readSecret(
  fields: Fields,
  name: string,
  check?: (text: string) => string | undefined,
): Secret | undefined {
  const value = fields.get(name);
  const file = fields.get(`${name}_file`);
  if (value !== undefined && file !== undefined) return file.problem(`stands beside ${name}: remove one of the two.`);
  if (file !== undefined) {
    const path = readPath(file);
    return path === undefined ? undefined : { file: path };
  }
  return value && readSecretValue(value, check);
}

/** The path of a file, from the root on. */
export function readPath(value: Value): string | undefined {
  const path = value.line();
  if (path === undefined) return undefined;
  if (!ABSOLUTE.test(path)) return value.problem(`${quoted(path)} is no absolute path: write it from the root on.`);
  value.refer({ file: path });
  return path;
}

/** A secret that is written there, or named as a variable. */
export function readSecretValue(value: Value, check?: (text: string) => string | undefined): Secret | undefined {
  const text = value.text();
  if (text === undefined) return undefined;
  if (text === "") return value.problem("is empty: write a value, or remove it.");
  const name = REFERENCE.exec(text)?.[1];
  if (name !== undefined && VARIABLE.test(name)) {
    value.refer({ env: name });
    return { env: name };
  }
  if (REFERENCE_WITHIN.test(text))
    return value.problem("has a variable within a text: put the whole value into the variable.");
  const wrong = check?.(text);
  if (wrong !== undefined) return value.problem(wrong);
  if (check !== undefined && OF_ADDRESSES.has(check)) value.refer({ url: text });
  return { value: text };
}
