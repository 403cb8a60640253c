/** Variables of the environment that look like ours and are not: a misspelled one would leave a default in force without a word. */
import type { Environment } from "./environment.ts";
import { nearest } from "./lib/suggest.ts";
import type { Logger } from "./observe/logger.ts";

export interface Misspelled {
  readonly name: string;
  /** The variable that may have been meant; undefined where only the prefix is ours. */
  readonly meant: string | undefined;
}

/** Read in other places than the configuration, or only beside another variable. */
const ELSEWHERE = [
  "OIDC_AUDIENCE",
  "OIDC_CLIENT_ID",
  "OIDC_CLIENT_SECRET",
  "OIDC_CLIENT_SECRET_FILE",
  "OIDC_ISSUER",
  "OIDC_REDIRECT_URL",
  "OIDC_SCOPES",
  "OIDC_SCOPE_CLAIM",
  "OIDC_SENSOR_PREFIX_CLAIM",
  "TELLTALE_AUDIT_ALLOWED",
  "TELLTALE_INSTALLING",
  "TELLTALE_TOKEN",
  "TELLTALE_URL",
  "TLS_CLIENT_CERTIFICATES",
  "TLS_RELOAD_MS",
];
const PREFIX = "TELLTALE_";
/** Kubernetes sets these for every service of a namespace, and one may be called as we are. */
const OF_KUBERNETES = /_SERVICE_(HOST|PORT(_.*)?)$|_PORT(_\d+_(TCP|UDP|SCTP)(_.*)?)?$/;
/** Another program's variable must not be taken for ours: stricter than for a field. */
const aSixth = (letters: number) => Math.floor(letters / 6);

/** The environment, with every name that is asked for added to `names`. */
export function recorded(env: Environment, names: Set<string>): Environment {
  return new Proxy(env, {
    get(target, name) {
      if (typeof name === "string") names.add(name);
      return Reflect.get(target, name);
    },
  });
}

/** @param asked every variable that the configuration asks for */
export function misspelled(env: Environment, asked: Iterable<string>): Misspelled[] {
  const known = new Set([...asked, ...ELSEWHERE]);
  return Object.keys(env).flatMap((name): Misspelled[] => {
    if (known.has(name) || OF_KUBERNETES.test(name)) return [];
    const meant = nearest(name, known, aSixth) ?? nearest(withoutPrefix(name), known, aSixth);
    return meant !== undefined || name.startsWith(PREFIX) ? [{ name, meant }] : [];
  });
}

/** One line each; never a value, which may be a secret. */
export function warnOfMisspelled(found: readonly Misspelled[], logger: Logger): void {
  for (const { name, meant } of found) {
    const hint = meant === undefined ? "see .env.example for those that are" : `did you mean ${meant}?`;
    logger.warn({ variable: name, meant }, `${name} is no variable of this platform and has no effect: ${hint}`);
  }
}

function withoutPrefix(name: string): string {
  return name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name;
}
