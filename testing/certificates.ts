import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Pair {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: Buffer;
  readonly key: Buffer;
}

export interface Authority {
  readonly caFile: string;
  readonly ca: Buffer;
  /** A certificate for the name, good for the loopback too. */
  issue(name: string): Pair;
  remove(): void;
}

/** A certificate authority of its own in a temporary folder. */
export function createAuthority(): Authority {
  const folder = mkdtempSync(join(tmpdir(), "telltale-ca-"));
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  openssl(
    "req",
    "-x509",
    ...newKey,
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
    "-days",
    "2",
    "-subj",
    "/CN=Test authority",
  );
  let issued = 0;
  return {
    caFile: join(folder, "ca.pem"),
    ca: readFileSync(join(folder, "ca.pem")),
    issue(name) {
      const base = `issued-${issued++}`;
      writeFileSync(join(folder, `${base}.ext`), "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
      openssl("req", ...newKey, "-keyout", `${base}.key`, "-out", `${base}.csr`, "-subj", `/CN=${name}`);
      const authority = [
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
        `${base}.ext`,
      ];
      openssl("x509", "-req", "-in", `${base}.csr`, "-out", `${base}.pem`, ...authority);
      const [certFile, keyFile] = [join(folder, `${base}.pem`), join(folder, `${base}.key`)];
      return { certFile, keyFile, cert: readFileSync(certFile), key: readFileSync(keyFile) };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
