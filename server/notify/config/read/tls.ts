import { readPath } from "./secret.ts";
import type { Fields, Known, Value } from "./value.ts";

export interface TlsSettings {
  readonly insecureSkipVerify: boolean;
  readonly caFile?: string;
}

/** What Alertmanager's `tls_config` has beside `ca_file` and `insecure_skip_verify`. */
const LATER = [
  ...["ca", "ca_ref", "cert", "cert_file", "cert_ref", "key", "key_file", "key_ref"],
  ...["server_name", "min_version", "max_version"],
];
const MAIL: Known = { of: "tls_config", names: ["ca_file", "insecure_skip_verify"], later: LATER };
const HTTP: Known = { of: "tls_config", names: ["ca_file"], later: [...LATER, "insecure_skip_verify"] };

/** The whole `tls_config` of a mail server: what is not written there is off. */
export function readMailTls(value: Value): TlsSettings {
  const fields = value.fields(MAIL);
  return { insecureSkipVerify: fields?.get("insecure_skip_verify")?.flag() ?? false, ...readCaFile(fields) };
}

/** That of an HTTP client. */
export function readHttpTls(value: Value): Pick<TlsSettings, "caFile"> {
  return readCaFile(value.fields(HTTP));
}

function readCaFile(fields: Fields | undefined): Pick<TlsSettings, "caFile"> {
  const file = fields?.get("ca_file");
  const caFile = file && readPath(file);
  return caFile === undefined ? {} : { caFile };
}
