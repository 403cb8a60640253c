/**
 * Streams use connections of their own. One HTTP/2 connection carries as many calls as the service allows on it
 * (256), and further calls wait until one ends: subscriptions, which do not end, would block all other calls.
 * Callers share these connections, so no caller may exhaust one: calls are cancelled within its budget, and a
 * caller opens streams only as fast as one connection could end them.
 */

import { Code } from "@connectrpc/connect";
import {
  Channel,
  type ChannelOptions,
  type ClientReadableStream,
  credentials,
  type Metadata,
  type ServiceClientConstructor,
} from "@grpc/grpc-js";
import { Bucket, Cancels } from "./budget.ts";
import { CLIENT_HEADER, type StreamMethod } from "./call.ts";
import { CHANNEL_OPTIONS } from "./channel.ts";
import { UpstreamError } from "./errors.ts";
import type { Raw } from "./tables.ts";

/** Below what the services allow on a connection, for a stream that has ended here may not have ended there. */
const STREAMS_PER_CONNECTION = 200;
/** Limits a gateway to 4,000 subscriptions; more need more gateways. */
const MAX_CONNECTIONS = 20;
/** Streams that one caller may open at once (dashboards reconnect together), and per second from then on. */
const OPENED_BURST = 400;
const OPENED_PER_SECOND = 20;
/** Callers counted at once; past it the count begins again, in favour of the callers. */
const MAX_CALLERS = 10_000;
// Else grpc-js would share one connection among all channels to the same address.
const OWN_CONNECTION: ChannelOptions = { ...CHANNEL_OPTIONS, "grpc.use_local_subchannel_pool": 1 };

type GrpcStreamMethod = (request: Raw, metadata: Metadata) => ClientReadableStream<Raw>;

interface StreamConnection {
  readonly channel: Channel;
  readonly clients: Map<ServiceClientConstructor, Record<string, GrpcStreamMethod>>;
  readonly cancels: Cancels;
  /** Including those that are given up and not cancelled yet. */
  streams: number;
}

export class StreamConnections {
  readonly #address: string;
  readonly #connections: StreamConnection[] = [];
  readonly #opened = new Map<string, Bucket>();

  /** @param address host:port of the services, without a scheme */
  constructor(address: string) {
    this.#address = address;
  }

  /**
   * The same method on a connection with room, chosen at each call.
   *
   * @throws UpstreamError RESOURCE_EXHAUSTED where there is no room, or the caller opens too many
   */
  method(service: ServiceClientConstructor, name: string): StreamMethod {
    return (request, metadata) => {
      this.#countOpened(metadata);
      const connection = this.#withRoom();
      const client = this.#client(connection, service);
      const responses = client[name]!.call(client, request, metadata);
      connection.streams++;
      let forget = () => {};
      // Comes once for each call, however it ends.
      responses.once("status", () => {
        connection.streams--;
        forget();
      });
      return {
        responses,
        cancel: () => {
          forget = connection.cancels.cancel(() => responses.cancel());
        },
      };
    };
  }

  #countOpened(metadata: Metadata): void {
    const [key = ""] = [...metadata.get("authorization"), ...metadata.get(CLIENT_HEADER)].map(String);
    if (this.#opened.size >= MAX_CALLERS && !this.#opened.has(key)) this.#opened.clear();
    const bucket = this.#opened.get(key) ?? new Bucket(OPENED_BURST, OPENED_PER_SECOND);
    this.#opened.set(key, bucket);
    if (bucket.take()) return;
    const message = `Over the limit of ${OPENED_PER_SECOND} new subscriptions a second: keep those that are open`;
    throw new UpstreamError(Code.ResourceExhausted, message, { retryAfterMs: bucket.waitMs });
  }

  close(): void {
    for (const { channel } of this.#connections) channel.close();
  }

  #withRoom(): StreamConnection {
    const found = this.#connections.find(({ streams }) => streams < STREAMS_PER_CONNECTION);
    if (found !== undefined) return found;
    if (this.#connections.length >= MAX_CONNECTIONS) {
      throw new UpstreamError(
        Code.ResourceExhausted,
        `This gateway serves ${MAX_CONNECTIONS * STREAMS_PER_CONNECTION} subscriptions at once, and there are as many: try again later`,
      );
    }
    const channel = new Channel(this.#address, credentials.createInsecure(), OWN_CONNECTION);
    const connection: StreamConnection = { channel, clients: new Map(), cancels: new Cancels(), streams: 0 };
    this.#connections.push(connection);
    return connection;
  }

  #client({ channel, clients }: StreamConnection, service: ServiceClientConstructor): Record<string, GrpcStreamMethod> {
    const known = clients.get(service);
    if (known !== undefined) return known;
    const options = { channelOverride: channel };
    const client = new service(this.#address, credentials.createInsecure(), options) as unknown as Record<
      string,
      GrpcStreamMethod
    >;
    clients.set(service, client);
    return client;
  }
}
