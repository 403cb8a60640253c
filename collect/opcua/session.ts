/** A session with an OPC UA server, whose certificate is the one that the configuration names. */
import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { ClientSession, OPCUAClient, UserIdentityInfo } from "node-opcua-client";
import { makeFolder } from "../../formats/folder.ts";
import { ignoreRejection } from "../../server/lib/signals.ts";
import type { EndpointSettings } from "./config.ts";
import type { Opcua } from "./library.ts";

/** The name by which servers list this client, and which stands in its certificate. */
const APPLICATION_NAME = "Telltale";
/** A server that was away for less finds the session, and the values that it kept for it. */
const SESSION_TIMEOUT_MS = 600_000;
/** Of one request. */
const TRANSACTION_TIMEOUT_MS = 15_000;
/** A goodbye to a server that is gone is not waited for. */
const CLOSE_MS = 3_000;

export interface OpenSession {
  readonly client: OPCUAClient;
  readonly session: ClientSession;
  /** Never rejects: the server may be gone. */
  close(): Promise<void>;
}

/**
 * Once the connection stood, the library brings it back by itself where it is lost.
 *
 * @throws Error with a sentence that says what is wrong and what to do
 */
export async function openSession(opcua: Opcua, endpoint: EndpointSettings): Promise<OpenSession> {
  const store = await openStore(opcua, endpoint);
  const secure = await secureOptions(opcua, endpoint, store);
  const client = createClient(opcua, store, secure);
  const close = async (session?: ClientSession) => {
    await within(CLOSE_MS, session?.close());
    await within(CLOSE_MS, client.disconnect());
  };
  try {
    await client.connect(endpoint.endpoint).catch((error: Error) => {
      const why = /Err = \((.*)\)/.exec(error.message)?.[1];
      if (why === undefined) throw error;
      throw new Error(`The OPC UA server cannot be reached at ${endpoint.endpoint}: ${why}`, { cause: error });
    });
    const session = await client.createSession(await identityOf(opcua, endpoint)).catch((error: Error) => {
      throw new Error(`The server refuses the session: ${error.message.trim()}`, { cause: error });
    });
    return { client, session, close: () => close(session) };
  } catch (error) {
    await close();
    throw error;
  }
}

type Store = InstanceType<Opcua["certificates"]["OPCUACertificateManager"]>;

/** With the own certificate and key, which are made where they are not there. */
async function openStore({ certificates }: Opcua, { certificateFolder }: EndpointSettings): Promise<Store> {
  makeFolder(certificateFolder, 0o700);
  const store = new certificates.OPCUACertificateManager({
    rootFolder: certificateFolder,
    automaticallyAcceptUnknownCertificate: false,
  });
  await store.initialize();
  return store;
}

interface SecureOptions {
  readonly securityMode?: number;
  readonly securityPolicy?: string;
  readonly serverCertificate?: Buffer;
}

function createClient({ client: library }: Opcua, store: Store, secure: SecureOptions): OPCUAClient {
  return library.OPCUAClient.create({
    ...(secure as object),
    applicationName: APPLICATION_NAME,
    clientCertificateManager: store,
    // A server behind another address than its own names one that cannot be reached.
    endpointMustExist: false,
    keepSessionAlive: true,
    requestedSessionTimeout: SESSION_TIMEOUT_MS,
    defaultTransactionTimeout: TRANSACTION_TIMEOUT_MS,
    // The first connection is tried again by whoever asked for it; one that is lost is by the library, for as long as it takes.
    connectionStrategy: { maxRetry: 1, initialDelay: 500, maxDelay: 30_000, randomisationFactor: 0.5 },
  });
}

async function secureOptions(opcua: Opcua, endpoint: EndpointSettings, store: Store): Promise<SecureOptions> {
  const { securityPolicy, securityMode } = endpoint;
  if (securityPolicy === "none") return {};
  const { MessageSecurityMode, SecurityPolicy } = opcua.client;
  const mode = securityMode === "sign" ? MessageSecurityMode.Sign : MessageSecurityMode.SignAndEncrypt;
  const policy = SecurityPolicy[securityPolicy];
  const certificate = await offeredCertificate(opcua, endpoint, store, mode, policy);
  await checkCertificate(endpoint, certificate);
  await store.trustCertificate(certificate);
  return { securityMode: mode, securityPolicy: policy, serverCertificate: certificate };
}

/** What the server sends before anything is proved: whether it is the right one is looked at next. */
async function offeredCertificate(
  opcua: Opcua,
  { endpoint, securityPolicy, securityMode }: EndpointSettings,
  store: Store,
  mode: number,
  policy: string,
): Promise<Buffer> {
  const client = createClient(opcua, store, {});
  try {
    await client.connect(endpoint);
    const all = await client.getEndpoints();
    const found = all.find((each) => each.securityMode === mode && each.securityPolicyUri === policy);
    if (found !== undefined) return Buffer.from(found.serverCertificate);
    const names = all.map(
      (each) => `${opcua.client.MessageSecurityMode[each.securityMode]} ${each.securityPolicyUri?.split("#")[1]}`,
    );
    throw new Error(
      `The server has no endpoint with ${securityPolicy} and ${securityMode}: it has ${names.join(", ")}.`,
    );
  } finally {
    await within(CLOSE_MS, client.disconnect());
  }
}

async function checkCertificate(
  { serverCertificate, serverFingerprint }: EndpointSettings,
  offered: Buffer,
): Promise<void> {
  const { fingerprint256: found } = new X509Certificate(offered);
  const wanted =
    serverCertificate === undefined
      ? serverFingerprint
      : new X509Certificate(await readFile(serverCertificate)).fingerprint256;
  if (wanted !== undefined && bare(wanted) === bare(found)) return;
  const why =
    wanted === undefined
      ? "No certificate of the server is trusted."
      : "The server's certificate is another than the one that is trusted.";
  throw new Error(`${why} If the one that it shows is its own, write server_fingerprint: "${found}"`);
}

const bare = (fingerprint: string) => fingerprint.replaceAll(":", "").toLowerCase();

async function identityOf({ client }: Opcua, { username, passwordFile }: EndpointSettings): Promise<UserIdentityInfo> {
  if (username === undefined) return { type: client.UserTokenType.Anonymous };
  const password = passwordFile === undefined ? process.env.OPCUA_PASSWORD : await readFile(passwordFile, "utf8");
  return { type: client.UserTokenType.UserName, userName: username, password: (password ?? "").replace(/\r?\n$/, "") };
}

async function within(ms: number, work: Promise<unknown> | undefined): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work?.catch(ignoreRejection), late]).finally(() => clearTimeout(timer));
}
