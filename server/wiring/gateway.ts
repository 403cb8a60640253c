import { type Gateway, startGateway } from "../../gateway/gateway.ts";
import { type IngestPath, passOn } from "../../gateway/ingest.ts";
import { PROMETHEUS_PATHS } from "../api/prometheus/api.ts";
import type { RpcServer } from "../api/server.ts";
import type { HttpProtocol } from "../ingest/protocol.ts";
import { createActCheck } from "../security/act.ts";
import type { Forwarding } from "../security/forwarded.ts";
import { createHostCheck } from "../security/hosts.ts";
import { watchTlsFiles } from "../security/tls.ts";
import type { Wiring } from "./wiring.ts";

/**
 * The HTTP listener for people and programs. It calls the services at `grpcUrl`, this process's own or another's; `own` calls those
 * of this process without gRPC in between.
 */
export function wireGateway(
  w: Wiring,
  { grpcUrl, own }: { readonly grpcUrl: string; readonly own: Pick<RpcServer, "call" | "serveProtocol"> | undefined },
  forwarding: Forwarding,
): Promise<Gateway> {
  const { config, metrics, logger } = w;
  return startGateway({
    host: config.bindAddress,
    port: config.httpPort,
    grpcUrl,
    callInProcess: own?.call,
    ingest: {
      paths: [...w.protocols.flatMap(methodsOf), ...PROMETHEUS_PATHS],
      serve: own?.serveProtocol ?? passOn(grpcUrl),
    },
    allowedOrigins: config.allowedHosts,
    allowsHost: createHostCheck(config.security, config.bindAddress),
    mayAct: createActCheck(config.security, config.allowedHosts),
    auth: config.security.auth,
    signClient: forwarding.sign,
    sessionSecret: config.security.gatewaySecret,
    oidcSignIn: config.security.oidc?.signIn && { issuer: config.security.oidc.issuer, ...config.security.oidc.signIn },
    acceptTimestamp: config.acceptTimestamp,
    tls: config.security.tls && watchTlsFiles(config.security.tls, logger),
    logger,
    metricsText: metrics.text,
  });
}

/** A probe is answered by HEAD as by GET. */
function methodsOf(protocol: HttpProtocol): IngestPath[] {
  return "probe" in protocol ? [protocol, { path: protocol.path, method: "HEAD" }] : [protocol];
}
