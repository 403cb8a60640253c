/** Watchers of everything, in a process of their own. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { WatchService } from "../gen/es/telltale/v1/watch_pb.ts";

/** What all watchers together were sent. */
export interface Seen {
  readonly readings: number;
  /** Responses that declared a gap. */
  readonly gaps: number;
}

/** Opens so many watches and waits until they are in place; the function ends them. */
export async function openWatchers(grpc: string, count: number): Promise<() => Promise<Seen>> {
  const child = fork(fileURLToPath(import.meta.url), [grpc, String(count)]);
  const heard = async () => {
    const ended = once(child, "exit").then(([code]) => Promise.reject(new Error(`watchers ended with code ${code}`)));
    const [message] = await Promise.race([once(child, "message"), ended]);
    return message;
  };
  await heard();
  return async () => {
    child.send("end");
    const seen = (await heard()) as Seen;
    child.disconnect();
    return seen;
  };
}

/** Says that the watches are in place, and when it is told to end, what they saw. */
async function run(grpc: string, count: number): Promise<void> {
  const stop = new AbortController();
  const { signal } = stop;
  const seen = { readings: 0, gaps: 0 };
  const client = createClient(WatchService, createGrpcTransport({ baseUrl: grpc }));
  const watches = Array.from({ length: count }, () => client.watchReadings({}, { signal })[Symbol.asyncIterator]());
  await Promise.all(watches.map((watch) => watch.next()));
  process.send!("watching");
  const ends = watches.map(async (watch) => {
    for (;;) {
      const { value, done } = await watch.next();
      if (done) throw new Error("a watch ended");
      seen.readings += value.readings.length;
      if (value.missed) seen.gaps++;
    }
  });
  await Promise.race([once(process, "message"), ...ends]);
  stop.abort();
  await Promise.allSettled(ends);
  process.send!(seen);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [grpc, count] = process.argv.slice(2);
  await run(grpc!, Number(count));
}
