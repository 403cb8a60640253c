import { readFileSync, statSync } from "node:fs";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { StartupError } from "../errors.ts";
import type { Logger } from "../observe/logger.ts";
import type { TlsSettings } from "./settings.ts";

export interface TlsFiles {
  readonly requestCert: boolean;
  readonly rejectUnauthorized: boolean;
  /** What the files hold now. */
  readonly current: SecureContextOptions;
  /** Called with the new contents whenever the files have changed and can be used. */
  onChange: (options: SecureContextOptions) => void;
  close(): void;
}

/**
 * Reads the certificate, its key and the authorities of clients, and again when a file changes: connections made from then on
 * get the new ones, those that stand are kept. Files that cannot be used are logged, and the old ones stay. Throws
 * StartupError where the first ones cannot be used.
 */
export function watchTlsFiles(settings: TlsSettings, logger: Logger): TlsFiles {
  let version = versionOf(settings);
  const files: TlsFiles & { current: SecureContextOptions } = {
    requestCert: settings.clientCaFile !== undefined,
    rejectUnauthorized: settings.clientCertificates === "required",
    current: load(settings),
    onChange: () => {},
    close: () => clearInterval(timer),
  };
  // By modification times and not by events: mounted secrets change by a swapped symbolic link, which many watchers miss.
  const timer = setInterval(() => {
    try {
      const now = versionOf(settings);
      if (now === version) return;
      version = now;
      files.current = load(settings);
      files.onChange(files.current);
      logger.info({ certFile: settings.certFile }, "certificates reloaded");
    } catch (error) {
      logger.error({ err: error }, "new certificates cannot be used, the old ones stay");
    }
  }, settings.reloadMs);
  timer.unref();
  return files;
}

function load({ certFile, keyFile, clientCaFile }: TlsSettings): SecureContextOptions {
  const options: SecureContextOptions = {
    cert: read("TLS_CERT_FILE", certFile),
    key: read("TLS_KEY_FILE", keyFile),
    ...(clientCaFile === undefined ? {} : { ca: read("TLS_CLIENT_CA_FILE", clientCaFile) }),
    minVersion: "TLSv1.2",
  };
  try {
    createSecureContext(options);
  } catch (error) {
    throw new StartupError(`TLS_CERT_FILE and TLS_KEY_FILE cannot be used: ${(error as Error).message}.`, {
      cause: error,
    });
  }
  return options;
}

function read(name: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new StartupError(`${name} is "${file}", which cannot be read: ${(error as Error).message}.`, {
      cause: error,
    });
  }
}

function versionOf({ certFile, keyFile, clientCaFile }: TlsSettings): string {
  const names = [certFile, keyFile, clientCaFile].filter((name) => name !== undefined);
  return names.map((name) => statSync(name, { throwIfNoEntry: false })?.mtimeMs ?? "missing").join(" ");
}
