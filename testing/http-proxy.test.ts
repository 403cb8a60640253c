import { once } from "node:events";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { cleanupAfterEach } from "./cleanup.ts";
import { startHttpProxy } from "./http-proxy.ts";
import { startWebhookSink } from "./webhook-sink.ts";

const { add } = cleanupAfterEach();

test.each(["ends", "is cut"])(
  "a tunnel whose client %s, before it is there or after, is closed at its other side",
  async (how) => {
    const sink = await startWebhookSink();
    add(() => sink.close());
    const proxy = await startHttpProxy();
    add(() => proxy.close());
    for (const isOpen of [false, true]) {
      const client = connect(proxy.port, "127.0.0.1");
      client.write(`CONNECT 127.0.0.1:${sink.port} HTTP/1.1\r\nhost: 127.0.0.1:${sink.port}\r\n\r\n`);
      if (isOpen) await once(client, "data");
      else await expect.poll(() => proxy.asked.length, { interval: 0 }).toBe(1);
      if (how === "ends") client.end();
      else client.resetAndDestroy();
      client.resume();
      await expect.poll(() => [proxy.tunnels, sink.connections]).toEqual([0, 0]);
    }
  },
);
