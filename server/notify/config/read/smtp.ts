/** Settings of a mail server: those of `global`, and the same without the prefix in each of `email_configs`. */
import { quoted } from "../../../lib/quoted.ts";
import type { EmailConfig } from "../config.ts";
import { isAddress } from "./addresses.ts";
import { readSecret } from "./secret.ts";
import { readTls } from "./tls.ts";
import type { Fields, Value } from "./value.ts";

export type SmtpSettings = Partial<
  Pick<
    EmailConfig,
    "from" | "smarthost" | "hello" | "authUsername" | "authPassword" | "requireTls" | "implicitTls" | "tls"
  >
>;

export const SMTP_NAMES = [
  ...["from", "smarthost", "hello", "auth_username", "auth_password", "auth_password_file"],
  ...["require_tls", "tls_config", "force_implicit_tls"],
];

/** What is written there; the rest is absent. */
export function readSmtp(fields: Fields, prefix: string): SmtpSettings {
  const get = (name: string) => fields.get(prefix + name);
  const tls = get("tls_config");
  return present({
    from: readFrom(get("from")),
    smarthost: readHostPort(get("smarthost")),
    hello: readHello(get("hello")),
    authUsername: get("auth_username")?.line(),
    authPassword: readSecret(fields, `${prefix}auth_password`),
    requireTls: get("require_tls")?.flag(),
    implicitTls: get("force_implicit_tls")?.flag(),
    // With a tls_config of its own a message takes nothing of the one in global.
    tls: tls && readTls(tls),
  });
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function present<T extends object>(settings: T): Present<T> {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as Present<T>;
}

function readFrom(value: Value | undefined): string | undefined {
  const text = value?.untemplated();
  if (text === undefined || isAddress(text)) return text;
  return value?.problem(`${quoted(text)} is no address: write name@example.com.`);
}

function readHello(value: Value | undefined): string | undefined {
  const text = value?.untemplated();
  if (text === undefined || /^[\w.:[\]-]+$/.test(text)) return text;
  return value?.problem(`${quoted(text)} is no name of a host.`);
}

function readHostPort(value: Value | undefined): EmailConfig["smarthost"] | undefined {
  const text = value?.line();
  if (text === undefined) return undefined;
  const [, bracketed, plain, digits] = /^(?:\[([^\]\s]+)\]|([^:\s[\]/]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || port < 1 || port > 65_535)
    return value?.problem(`${quoted(text)} is no host with a port: write for example mail.example.com:587.`);
  return { host, port };
}
