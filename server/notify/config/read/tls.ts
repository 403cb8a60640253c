import { quoted } from "../../../lib/quoted.ts";
import { TLS_VERSIONS, type TlsConfig } from "../config.ts";
import { readPath, readSecret } from "./secret.ts";
import type { Known, Value } from "./value.ts";

const TLS: Known = {
  of: "tls_config",
  names: [
    ...["ca", "ca_file", "cert", "cert_file", "key", "key_file"],
    ...["server_name", "insecure_skip_verify", "min_version", "max_version"],
  ],
  later: ["ca_ref", "cert_ref", "key_ref"],
};

/** The whole `tls_config` of an HTTP client or a mail server: what is not written there is off. */
export function readTls(value: Value): TlsConfig {
  const fields = value.fields(TLS);
  if (fields === undefined) return {};
  const text = (name: string) => fields.get(name)?.block();
  for (const name of ["ca", "cert"])
    if (fields.get(name) && fields.get(`${name}_file`))
      fields.get(`${name}_file`)!.problem(`stands beside ${name}: remove one of the two.`);
  const path = (name: string) => {
    const file = fields.get(name);
    return file && readPath(file);
  };
  const [ca, cert] = [text("ca"), text("cert")];
  const [caFile, certFile] = [path("ca_file"), path("cert_file")];
  const key = readSecret(fields, "key", pemTrouble);
  const hasCert = fields.get("cert") !== undefined || fields.get("cert_file") !== undefined;
  const hasKey = fields.get("key") !== undefined || fields.get("key_file") !== undefined;
  if (hasCert !== hasKey) value.problem("has a cert or a key without the other: write both, or none.");
  const serverName = fields.get("server_name")?.line();
  const minVersion = readVersion(fields.get("min_version"));
  const maxVersion = readVersion(fields.get("max_version"));
  const order = [...TLS_VERSIONS.values()];
  if (minVersion && maxVersion && order.indexOf(minVersion) > order.indexOf(maxVersion))
    value.problem("has a min_version above its max_version.");
  return {
    ...(ca !== undefined && { ca }),
    ...(caFile !== undefined && { caFile }),
    ...(cert !== undefined && { cert }),
    ...(certFile !== undefined && { certFile }),
    ...(key && { key }),
    ...(serverName !== undefined && { serverName }),
    ...(fields.get("insecure_skip_verify")?.flag() === true && { insecureSkipVerify: true }),
    ...(minVersion && { minVersion }),
    ...(maxVersion && { maxVersion }),
  };
}

function pemTrouble(text: string): string | undefined {
  return /-----BEGIN [A-Z ]*-----/.test(text) ? undefined : "is no PEM: it begins with -----BEGIN.";
}

function readVersion(value: Value | undefined): TlsConfig["minVersion"] {
  const text = value?.line();
  if (value === undefined || text === undefined) return undefined;
  return (
    TLS_VERSIONS.get(text) ??
    value.problem(`${quoted(text)} is no version of TLS: write one of ${[...TLS_VERSIONS.keys()].join(", ")}.`)
  );
}
