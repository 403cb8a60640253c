import { readFileSync } from "node:fs";
import { choice, type Environment, flag, integer, refuse, text, url } from "../environment.ts";
import { StartupError } from "../errors.ts";
import { isLoopback } from "../lib/authority.ts";

/** Who may come in, and how much each may ask for. */
export interface SecuritySettings {
  /** Whether callers have to say who they are. */
  readonly auth: boolean;
  /** Told to serve other machines without asking who calls. */
  readonly allowUnauthenticatedNetworkAccess: boolean;
  /** The secret of the first administrator; undefined: made at the first start and kept in the data folder. */
  readonly adminToken: string | undefined;
  readonly oidc: OidcSettings | undefined;
  readonly tls: TlsSettings | undefined;
  /** Shared by gateways and services, so that these believe whose calls a gateway hands on; undefined: made by each process. */
  readonly gatewaySecret: string | undefined;
  readonly limits: QuotaSettings;
}

export interface OidcSettings {
  /** Where the issuer publishes its keys. */
  readonly jwksUrl: string;
  readonly issuer: string;
  /** The audiences that a token may name: of programs, and of people who sign in to the console. */
  readonly audience: string | string[];
  /** Claim with the scopes: a list, or names with blanks between them. */
  readonly scopeClaim: string;
  /** Claim with the sensor prefix, "*" for all sensors; undefined: tokens of this issuer reach all sensors. */
  readonly prefixClaim: string | undefined;
  /** How people sign in to the console with the issuer; absent: with a token alone. */
  readonly signIn?: OidcSignInSettings | undefined;
}

export interface OidcSignInSettings {
  readonly clientId: string;
  /** Undefined: of a public client. */
  readonly clientSecret: string | undefined;
  /** Of the console as browsers see it. */
  readonly redirectUrl: string;
  readonly scopes: string;
}

export interface TlsSettings {
  readonly certFile: string;
  readonly keyFile: string;
  /** Authorities whose client certificates are believed. */
  readonly clientCaFile: string | undefined;
  readonly clientCertificates: "optional" | "required";
  /** How often the files are looked at for new contents. */
  readonly reloadMs: number;
}

/** Of one principal; 0 is no limit. */
export interface QuotaSettings {
  readonly callsPerSecond: number;
  readonly readingsPerSecond: number;
  readonly streams: number;
  readonly sensors: number;
}

// 32 characters of base64 are 192 bits: what cannot be guessed needs no slow hash.
const minSecretCharacters = 32;
/** Where others have tokens: above what one device, gateway or dashboard needs, below what one may take from all. */
const SAFE_LIMITS: QuotaSettings = {
  callsPerSecond: 500,
  readingsPerSecond: 100_000,
  streams: 200,
  sensors: 10_000,
};
const NO_LIMITS: QuotaSettings = { callsPerSecond: 0, readingsPerSecond: 0, streams: 0, sensors: 0 };
const anyRate = { min: 0, max: 1_000_000_000 };

/** Reads what concerns security; throws StartupError as `loadConfig` does. */
export function loadSecuritySettings(env: Environment, bindAddress: string): SecuritySettings {
  const auth = choice(env, "AUTH", "off", ["off", "on"]) === "on";
  const unset = auth ? SAFE_LIMITS : NO_LIMITS;
  const settings: SecuritySettings = {
    auth,
    allowUnauthenticatedNetworkAccess: flag(env, "ALLOW_UNAUTHENTICATED_NETWORK_ACCESS", false),
    adminToken: readSecret(env, "ADMIN_TOKEN"),
    oidc: readOidc(env),
    tls: readTls(env),
    gatewaySecret: readSecret(env, "GATEWAY_SECRET"),
    limits: {
      callsPerSecond: integer(env, "LIMIT_CALLS_PER_SECOND", unset.callsPerSecond, anyRate),
      readingsPerSecond: integer(env, "LIMIT_READINGS_PER_SECOND", unset.readingsPerSecond, anyRate),
      streams: integer(env, "LIMIT_STREAMS", unset.streams, anyRate),
      sensors: integer(env, "LIMIT_SENSORS", unset.sensors, anyRate),
    },
  };
  checkTogether(settings, bindAddress);
  return Object.freeze(settings);
}

function checkTogether(settings: SecuritySettings, bindAddress: string): void {
  const { auth, allowUnauthenticatedNetworkAccess: allowed, oidc, tls } = settings;
  if (!auth && !allowed && !isLoopback(bindAddress)) {
    throw new StartupError(
      `BIND_ADDRESS is "${bindAddress}", which other machines can reach, but AUTH is off: set AUTH=on, or ALLOW_UNAUTHENTICATED_NETWORK_ACCESS=true to let everyone read and write.`,
    );
  }
  if (!auth && oidc !== undefined) throw new StartupError("OIDC_JWKS_URL is set, but AUTH is off: set AUTH=on.");
  if (!auth && tls?.clientCaFile !== undefined) {
    throw new StartupError("TLS_CLIENT_CA_FILE is set, but AUTH is off: set AUTH=on.");
  }
}

function readSecret(env: Environment, name: string): string | undefined {
  const token = text(env, name);
  if (token !== undefined && !/^[\x21-\x7e]{32,512}$/.test(token)) {
    const wanted = `at least ${minSecretCharacters} printable characters without blanks, for example from openssl rand -base64 32`;
    throw new StartupError(`${name} has ${token.length} characters, but it must be ${wanted}.`);
  }
  return token;
}

function readOidc(env: Environment): OidcSettings | undefined {
  const jwksUrl = url(env, "OIDC_JWKS_URL", ["https", "http"]);
  if (jwksUrl === undefined) return undefined;
  checkHttps("OIDC_JWKS_URL", jwksUrl, "whoever can change the keys on their way can be anybody");
  const issuer = needed(env, "OIDC_ISSUER", "OIDC_JWKS_URL");
  const signIn = readSignIn(env, issuer);
  const programs = signIn === undefined ? needed(env, "OIDC_AUDIENCE", "OIDC_JWKS_URL") : text(env, "OIDC_AUDIENCE");
  return {
    jwksUrl,
    issuer,
    audience: [programs, signIn?.clientId].filter((each) => each !== undefined),
    signIn,
    scopeClaim: text(env, "OIDC_SCOPE_CLAIM") ?? "scope",
    prefixClaim: readPrefixClaim(env),
  };
}

const CALLBACK = "/ui/session/oidc/callback";

function readSignIn(env: Environment, issuer: string): OidcSignInSettings | undefined {
  const clientId = text(env, "OIDC_CLIENT_ID");
  if (clientId === undefined) return undefined;
  const server = URL.canParse(issuer)
    ? issuer
    : refuse("OIDC_ISSUER", issuer, "an address, where OIDC_CLIENT_ID is set");
  checkHttps("OIDC_ISSUER", server, "codes and secrets go to it");
  const redirectUrl = url(env, "OIDC_REDIRECT_URL", ["https", "http"]);
  if (redirectUrl === undefined)
    throw new StartupError("OIDC_CLIENT_ID is set, and OIDC_REDIRECT_URL is not: set both.");
  if (new URL(redirectUrl).pathname !== CALLBACK)
    refuse("OIDC_REDIRECT_URL", redirectUrl, `the console's address with the path ${CALLBACK}`);
  checkHttps("OIDC_REDIRECT_URL", redirectUrl, "the code that signs a person in comes by it");
  return { clientId, clientSecret: readClientSecret(env), redirectUrl, scopes: text(env, "OIDC_SCOPES") ?? "openid" };
}

function readClientSecret(env: Environment): string | undefined {
  const [secret, file] = [text(env, "OIDC_CLIENT_SECRET"), text(env, "OIDC_CLIENT_SECRET_FILE")];
  if (secret !== undefined && file !== undefined)
    throw new StartupError("OIDC_CLIENT_SECRET and OIDC_CLIENT_SECRET_FILE are both set: set one of them.");
  if (file === undefined) return secret;
  try {
    return readFileSync(file, "utf8").trim();
  } catch (cause) {
    throw new StartupError(`OIDC_CLIENT_SECRET_FILE is "${file}", which cannot be read.`, { cause });
  }
}

/** On this machine nobody is on the way. */
function checkHttps(name: string, address: string, why: string): void {
  if (address.startsWith("http:") && !isLoopback(new URL(address).hostname))
    refuse(name, address, `an https address: ${why}`);
}

/** A claim of that name cannot be: the word says that no claim limits the issuer's tokens. */
function readPrefixClaim(env: Environment): string | undefined {
  const name = text(env, "OIDC_SENSOR_PREFIX_CLAIM") ?? "sensor_prefix";
  return name === "none" ? undefined : name;
}

function readTls(env: Environment): TlsSettings | undefined {
  const certFile = text(env, "TLS_CERT_FILE");
  const clientCaFile = text(env, "TLS_CLIENT_CA_FILE");
  const clientCertificates = choice(env, "TLS_CLIENT_CERTIFICATES", "optional", ["optional", "required"]);
  if (certFile === undefined) {
    for (const name of ["TLS_KEY_FILE", "TLS_CLIENT_CA_FILE"]) {
      if (text(env, name) !== undefined) throw new StartupError(`${name} is set, which needs TLS_CERT_FILE too.`);
    }
    return undefined;
  }
  if (clientCertificates === "required" && clientCaFile === undefined) {
    throw new StartupError("TLS_CLIENT_CERTIFICATES is required, which needs TLS_CLIENT_CA_FILE too.");
  }
  const keyFile = needed(env, "TLS_KEY_FILE", "TLS_CERT_FILE");
  // Certificates are renewed weeks ahead: half a minute late is early enough.
  const reloadMs = integer(env, "TLS_RELOAD_MS", 30_000, { min: 100, max: 86_400_000 });
  return { certFile, keyFile, clientCaFile, clientCertificates, reloadMs };
}

function needed(env: Environment, name: string, because: string): string {
  const value = text(env, name);
  if (value === undefined) throw new StartupError(`${because} is set, which needs ${name} too.`);
  return value;
}
