import { X509Certificate } from "node:crypto";
import type { SecureVersion } from "node:tls";
import type { TlsConfig } from "../config/config.ts";
import { readPublicFile, SecretProblem, type Secrets } from "./secrets.ts";

/** For `tls.connect`. */
export interface TlsOptions {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
  readonly minVersion?: SecureVersion;
  readonly maxVersion?: SecureVersion;
}

/**
 * Files are read for each message: one that is replaced counts from the next message on.
 *
 * @param what whose they are, for the complaint: "the webhook"
 * @throws SecretProblem where a file cannot be read, or is no certificate
 */
export async function tlsOptions(config: TlsConfig = {}, secrets: Secrets, what: string): Promise<TlsOptions> {
  const { serverName, insecureSkipVerify, minVersion, maxVersion } = config;
  const ca = config.ca ?? (config.caFile && (await readPublicFile(config.caFile, `the authorities of ${what}`)));
  const cert =
    config.cert ?? (config.certFile && (await readPublicFile(config.certFile, `our certificate for ${what}`)));
  const key = config.key && (await secrets.read(config.key, `the key of our certificate for ${what}`));
  if (ca !== undefined) checkCertificate(ca, `the authorities of ${what}`);
  if (cert !== undefined) checkCertificate(cert, `our certificate for ${what}`);
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(serverName !== undefined && { servername: serverName }),
    ...(insecureSkipVerify === true && { rejectUnauthorized: false }),
    ...(minVersion !== undefined && { minVersion }),
    ...(maxVersion !== undefined && { maxVersion }),
  };
}

/** Node trusts nobody where it finds no certificate in a bundle, and does not say so. */
function checkCertificate(pem: string, what: string): void {
  try {
    new X509Certificate(pem);
  } catch {
    throw new SecretProblem(`${what}: there is no certificate in it; PEM is wanted`, false);
  }
}
