/** Watchers that come and go: by gRPC, and by GraphQL over server-sent events. */
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { WatchService } from "../gen/es/telltale/v1/watch_pb.ts";
import type { Platform } from "../testing/platform.ts";

/** Of each kind. Within what one caller may open and one connection may give up. */
const PER_SECOND = 5;

export interface Churn {
  /** Ends it; how many there were. */
  stop(): Promise<number>;
}

/** Opens a watch of a quiet sensor, waits until it is in place, and closes it, again and again. A watch that fails ends the churn. */
export function churnWatches({ grpc, http }: Pick<Platform, "grpc" | "http">): Churn {
  const watch = createClient(WatchService, createGrpcTransport({ baseUrl: grpc }));
  const query = encodeURIComponent('subscription { sensorDataStream(sensorId: "quiet") { value } }');
  let opened = 0;
  let stopped = false;

  const byGrpc = async () => {
    const controller = new AbortController();
    const responses = watch.watchReadings({ sensorId: "quiet" }, { signal: controller.signal })[Symbol.asyncIterator]();
    await responses.next();
    controller.abort();
  };
  const byEvents = async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const headers = { accept: "text/event-stream" };
    const response = await fetch(`${http}/api/v1/graphql?query=${query}`, { headers, signal });
    if (response.status !== 200) throw new Error(`a subscription got ${response.status}: ${await response.text()}`);
    controller.abort();
  };
  const again = async (open: () => Promise<void>) => {
    while (!stopped) {
      await open();
      opened++;
      await new Promise((resolve) => setTimeout(resolve, 1_000 / PER_SECOND));
    }
  };
  const running = Promise.all([again(byGrpc), again(byEvents)]);
  running.catch(() => undefined); // told by stop()
  return {
    async stop() {
      stopped = true;
      await running;
      return opened;
    },
  };
}
