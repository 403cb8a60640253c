/**
 * Streams of the services go by connections of their own. One HTTP/2 connection carries as many calls as the service allows on it
 * (256), and what comes then waits until one ends: subscribers, who do not end, would keep everybody else waiting for ever.
 */

import { Code } from "@connectrpc/connect";
import {
  Channel,
  type ChannelOptions,
  type ClientReadableStream,
  credentials,
  type ServiceClientConstructor,
} from "@grpc/grpc-js";
import type { StreamMethod } from "./call.ts";
import { CHANNEL_OPTIONS } from "./channel.ts";
import { UpstreamError } from "./errors.ts";
import type { Raw } from "./tables.ts";

/** Below what the services allow on a connection, for a stream that has ended here may not have ended there. */
const STREAMS_A_LANE = 200;
/** Connections of this kind: 4,000 subscriptions. More of them need more gateways. */
const MAX_LANES = 20;
// Else grpc-js would share one connection among all channels to the same address.
const OWN_CONNECTION: ChannelOptions = { ...CHANNEL_OPTIONS, "grpc.use_local_subchannel_pool": 1 };

interface Lane {
  readonly channel: Channel;
  readonly clients: Map<ServiceClientConstructor, Record<string, StreamMethod>>;
  streams: number;
}

export class Lanes {
  readonly #address: string;
  readonly #lanes: Lane[] = [];

  /** @param address host:port of the services, without a scheme */
  constructor(address: string) {
    this.#address = address;
  }

  /**
   * The same method on a connection with room, chosen at each call.
   *
   * @throws UpstreamError RESOURCE_EXHAUSTED where there is no room
   */
  method(service: ServiceClientConstructor, name: string): StreamMethod {
    return (request, metadata) => {
      const lane = this.#withRoom();
      const client = this.#client(lane, service);
      const call: ClientReadableStream<Raw> = client[name]!.call(client, request, metadata);
      lane.streams++;
      // Comes once for each call, however it ends.
      call.once("status", () => lane.streams--);
      return call;
    };
  }

  close(): void {
    for (const { channel } of this.#lanes) channel.close();
  }

  #withRoom(): Lane {
    const found = this.#lanes.find(({ streams }) => streams < STREAMS_A_LANE);
    if (found !== undefined) return found;
    if (this.#lanes.length >= MAX_LANES) {
      throw new UpstreamError(
        Code.ResourceExhausted,
        `This gateway serves ${MAX_LANES * STREAMS_A_LANE} subscriptions at once, and there are as many: try again later`,
      );
    }
    const channel = new Channel(this.#address, credentials.createInsecure(), OWN_CONNECTION);
    const lane: Lane = { channel, clients: new Map(), streams: 0 };
    this.#lanes.push(lane);
    return lane;
  }

  #client({ channel, clients }: Lane, service: ServiceClientConstructor): Record<string, StreamMethod> {
    const known = clients.get(service);
    if (known !== undefined) return known;
    const options = { channelOverride: channel };
    const client = new service(this.#address, credentials.createInsecure(), options) as unknown as Record<
      string,
      StreamMethod
    >;
    clients.set(service, client);
    return client;
  }
}
