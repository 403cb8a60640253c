/** How the gateway's channels to the services behave. */
import type { ChannelOptions } from "@grpc/grpc-js";

/** A page of 1,000 readings with 16 KiB of metadata each is the most that an answer holds. */
const MAX_RESPONSE_BYTES = 32 * 1024 * 1024;
/** Announced to the services: they end pages earlier for clients that take gRPC's default of 4 MiB. */
export const MAX_RESPONSE: readonly [string, string] = ["telltale-max-response-bytes", String(MAX_RESPONSE_BYTES)];

export const CHANNEL_OPTIONS: ChannelOptions = {
  "grpc.max_receive_message_length": MAX_RESPONSE_BYTES,
  // A service that died without a word is noticed within half a minute, also under a silent subscription.
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 10_000,
  // A restarted service is found again within a second or two.
  "grpc.initial_reconnect_backoff_ms": 200,
  "grpc.max_reconnect_backoff_ms": 2_000,
};

/** host:port of a URL such as http://127.0.0.1:50051, as grpc-js takes it. */
export function grpcAddress(url: string): string {
  const { hostname, port, protocol } = new URL(url);
  return `${hostname}:${port || (protocol === "https:" ? 443 : 80)}`;
}
