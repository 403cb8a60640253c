import type { OAuth2Config } from "../config.ts";
import { PROXY_NAMES, readProxy } from "./proxy.ts";
import { readSecret } from "./secret.ts";
import { readTls } from "./tls.ts";
import { urlTrouble } from "./troubles.ts";
import type { Known, Value } from "./value.ts";

const OAUTH2: Known = {
  of: "oauth2",
  names: [
    ...["client_id", "client_secret", "client_secret_file", "scopes", "token_url", "endpoint_params", "tls_config"],
    ...PROXY_NAMES,
  ],
  later: [
    ...["client_secret_ref", "grant_type", "client_certificate_key", "client_certificate_key_file"],
    ...["client_certificate_key_ref", "client_certificate_key_id", "signature_algorithm", "iss", "audience", "claims"],
  ],
  instead: "a token is asked for with client_id and client_secret; remove it.",
};

/** The grant of the client's credentials. */
export function readOAuth2(value: Value | undefined): OAuth2Config | undefined {
  const fields = value?.fields(OAUTH2);
  if (value === undefined || fields === undefined) return undefined;
  const clientId = fields.required("client_id")?.line();
  const clientSecret = readSecret(fields, "client_secret");
  if (!fields.get("client_secret") && !fields.get("client_secret_file"))
    value.problem("has no client_secret: write client_secret or client_secret_file.");
  const url = fields.required("token_url");
  const tokenUrl = url?.line();
  const wrong = tokenUrl === undefined ? undefined : urlTrouble(tokenUrl);
  if (wrong !== undefined) url?.problem(wrong);
  else if (tokenUrl !== undefined) url?.refer({ url: tokenUrl });
  const scopes = (fields.get("scopes")?.items() ?? []).flatMap((item) => item.line() ?? []);
  const params = fields.get("endpoint_params")?.entries() ?? [];
  const tls = fields.get("tls_config");
  const proxy = readProxy(fields);
  if (clientId === undefined || clientSecret === undefined || tokenUrl === undefined || wrong !== undefined)
    return undefined;
  return {
    ...{ clientId, clientSecret, tokenUrl, scopes },
    params: Object.fromEntries(params.map(([name, each]) => [name, each.text() ?? ""])),
    ...(tls && { tls: readTls(tls) }),
    ...(proxy && { proxy }),
  };
}
