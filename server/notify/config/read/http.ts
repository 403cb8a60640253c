import { quoted } from "../../../lib/quoted.ts";
import type { HttpSettings, Secret } from "../config.ts";
import { readOAuth2 } from "./oauth2.ts";
import { headerTrouble, PROXY_NAMES, readProxy } from "./proxy.ts";
import { readPath, readSecret, readSecretValue } from "./secret.ts";
import { readTls } from "./tls.ts";
import type { Fields, Known, Value } from "./value.ts";

const HTTP: Known = {
  of: "http_config",
  names: [
    ...["authorization", "basic_auth", "bearer_token", "bearer_token_file", "tls_config"],
    ...["follow_redirects", "enable_http2", "http_headers", "oauth2", ...PROXY_NAMES],
  ],
};
/** One of them at most. */
const CREDENTIALS = ["authorization", "basic_auth", "oauth2", "bearer_token", "bearer_token_file"];
const HEADER: Known = { of: "a header", names: ["values", "secrets", "files"] };
/** Set by the platform for each request. */
const OWN_HEADERS =
  /^(?:authorization|connection|content-.*|host|idempotency-key|transfer-encoding|user-agent|ce-.*|webhook-.*)$/i;
const AUTHORIZATION: Known = {
  of: "authorization",
  names: ["type", "credentials", "credentials_file"],
  later: ["credentials_ref"],
};
const BASIC_AUTH: Known = {
  of: "basic_auth",
  names: ["username", "password", "password_file"],
  later: ["username_file", "username_ref", "password_ref"],
};

const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;

export function readHttp(value: Value): HttpSettings {
  const fields = value.fields(HTTP);
  if (fields === undefined) return {};
  const given = CREDENTIALS.filter((name) => fields.get(name));
  if (given.length > 1) value.problem(`has ${given.join(" and ")}: keep one of them.`);
  const authorization = readAuthorization(fields);
  const basicAuth = readBasicAuth(fields.get("basic_auth"));
  const oauth2 = readOAuth2(fields.get("oauth2"));
  const proxy = readProxy(fields);
  const tls = fields.get("tls_config");
  const redirects = fields.get("follow_redirects");
  if (redirects?.flag() === true)
    redirects.problem("is true: redirects are not followed, because where they lead is another's choice; remove it.");
  // HTTP/1.1 is what every server takes.
  fields.get("enable_http2")?.flag();
  const headers = readHeaders(fields.get("http_headers"));
  return {
    ...(headers && { headers }),
    ...(authorization && { authorization }),
    ...(basicAuth && { basicAuth }),
    ...(oauth2 && { oauth2 }),
    ...(proxy && { proxy }),
    ...(tls && { tls: readTls(tls) }),
  };
}

function readHeaders(value: Value | undefined): HttpSettings["headers"] | undefined {
  if (value === undefined) return undefined;
  const known = new Set<string>();
  const entries = value.entries().map(([name, each]) => {
    // Header names have no case.
    const same = name.toLowerCase();
    if (known.has(same)) each.flaw(`the header ${quoted(name)} is there twice: put all values under one name.`);
    known.add(same);
    if (!TOKEN.test(name)) each.problem(`${quoted(name)} is no name of a header.`);
    if (OWN_HEADERS.test(name))
      each.problem(`the header ${quoted(name)} is set by the platform and cannot be changed.`);
    return [name, readHeader(each.fields(HEADER))] as const;
  });
  return Object.fromEntries(entries);
}

function readHeader(fields: Fields | undefined): Secret[] {
  const written = ["values", "secrets"].flatMap((name) => fields?.get(name)?.items() ?? []);
  const files = (fields?.get("files")?.items() ?? []).flatMap((item) => readPath(item) ?? []);
  return [...written.flatMap((item) => readSecretValue(item, headerTrouble) ?? []), ...files.map((file) => ({ file }))];
}

function readAuthorization(http: Fields): HttpSettings["authorization"] {
  const bearer = readSecret(http, "bearer_token", headerTrouble);
  if (bearer !== undefined) return { type: "Bearer", credentials: bearer };
  const value = http.get("authorization");
  const fields = value?.fields(AUTHORIZATION);
  if (value === undefined || fields === undefined) return undefined;
  const credentials = readSecret(fields, "credentials", headerTrouble);
  const type = fields.get("type");
  const scheme = type === undefined ? "Bearer" : type.line();
  if (scheme === undefined) return undefined;
  if (!TOKEN.test(scheme))
    type?.problem(`${quoted(scheme)} is no scheme of authorization: write one word, such as Bearer.`);
  if (scheme.toLowerCase() === "basic") type?.problem("is Basic: write basic_auth with username and password instead.");
  if (credentials === undefined && !fields.get("credentials") && !fields.get("credentials_file"))
    value.problem("has no credentials: write credentials or credentials_file.");
  return credentials && { type: scheme, credentials };
}

function readBasicAuth(value: Value | undefined): HttpSettings["basicAuth"] {
  const fields = value?.fields(BASIC_AUTH);
  if (value === undefined || fields === undefined) return undefined;
  const name = fields.required("username");
  const username = name?.line();
  if (username?.includes(":")) name?.problem("has a colon, which HTTP does not allow in the name of a user.");
  const password = readSecret(fields, "password");
  if (!fields.get("password") && !fields.get("password_file"))
    value.problem("has no password: write password or password_file.");
  return username !== undefined && password !== undefined ? { username, password } : undefined;
}
