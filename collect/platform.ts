/** The platform that a collector sends to: how it is called, and whether it takes what would be sent. */
import { readFile } from "node:fs/promises";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { connect } from "../client/transport.ts";
import { AdminService, type GetCallerResponse, Scope } from "../gen/es/telltale/v1/admin_pb.ts";
import { enumName } from "../server/lib/enum-name.ts";
import { quoted } from "../server/lib/quoted.ts";
import type { CollectorSettings } from "./config/settings.ts";

type PlatformSettings = CollectorSettings["platform"];

/** A platform that is there answers at once; one behind a firewall never does. */
const ANSWER_MS = 10_000;
/** Sensors that are named one by one. */
const MAX_NAMED = 5;

export interface PlatformCheck {
  /** Who the collector is to the platform; undefined where that is not known. */
  readonly caller: string | undefined;
  /** A sentence for each thing that is wrong. */
  readonly troubles: readonly string[];
}

/** Asks the platform who calls, and stores nothing. Never rejects. @param sensorIds what would be sent */
export async function checkPlatform(platform: PlatformSettings, sensorIds: readonly string[]): Promise<PlatformCheck> {
  try {
    const caller = await callerOf(platform);
    return { caller: caller.name, troubles: troublesOf(caller, sensorIds) };
  } catch (error) {
    return { caller: undefined, troubles: [troubleOf(error, platform)] };
  }
}

async function callerOf({ url, ...files }: PlatformSettings): Promise<GetCallerResponse> {
  const token = await tokenOf(files.tokenFile);
  const tls = await tlsOf({ url, ...files });
  const { transport, close } = connect({ url, token, ...(tls === undefined ? {} : { tls }) });
  try {
    return await createClient(AdminService, transport).getCaller({}, { timeoutMs: ANSWER_MS });
  } finally {
    close();
  }
}

function troublesOf({ name, scopes, sensorPrefix }: GetCallerResponse, sensorIds: readonly string[]): string[] {
  const troubles: string[] = [];
  if (!scopes.includes(Scope.INGEST)) {
    const has = scopes.map((scope) => enumName(Scope, scope)).join(", ");
    troubles.push(`${name} may not send readings: it has ${has || "no scope"}, and needs ingest.`);
  }
  const outside = sensorIds.filter((id) => !id.startsWith(sensorPrefix));
  if (outside.length > 0) {
    const named = outside.slice(0, MAX_NAMED).map(quoted).join(", ");
    const more = outside.length > MAX_NAMED ? ` and ${outside.length - MAX_NAMED} more` : "";
    troubles.push(`${name} may only send sensors that begin with ${quoted(sensorPrefix)}, and not ${named}${more}.`);
  }
  return troubles;
}

function troubleOf(error: unknown, { url, tokenFile }: PlatformSettings): string {
  if (!(error instanceof ConnectError)) return error instanceof Error ? error.message : String(error);
  switch (error.code) {
    case Code.Unauthenticated:
      return `The platform at ${url} refuses the token (${tokenFile ?? "TELLTALE_TOKEN"}): ${error.rawMessage}`;
    case Code.DeadlineExceeded:
      return `The platform at ${url} does not answer within ${ANSWER_MS / 1_000} s.`;
    case Code.Unavailable:
      return `The platform cannot be reached at ${url}: ${error.rawMessage}`;
    default:
      return `What answers at ${url} is not the gRPC endpoint of a platform: ${error.rawMessage}`;
  }
}

export async function tokenOf(file: string | undefined): Promise<string> {
  if (file === undefined) return (process.env.TELLTALE_TOKEN ?? "").trim();
  try {
    return (await readFile(file, "utf8")).trim();
  } catch (cause) {
    throw new Error(`platform.token_file cannot be read: ${(cause as Error).message}`, { cause });
  }
}

export async function tlsOf({ caFile, certFile, keyFile }: CollectorSettings["platform"]) {
  if (caFile === undefined && certFile === undefined) return undefined;
  const text = async (file: string | undefined) => (file === undefined ? undefined : await readFile(file, "utf8"));
  const [ca, cert, key] = await Promise.all([text(caFile), text(certFile), text(keyFile)]);
  return { ...(ca !== undefined && { ca }), ...(cert !== undefined && { cert }), ...(key !== undefined && { key }) };
}
