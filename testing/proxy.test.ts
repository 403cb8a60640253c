import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { type FaultProxy, startProxy } from "./proxy.ts";

describe("the fault proxy", () => {
  const ends: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  /** A server that answers each chunk with the same, its name before it. */
  const echo = async (name: string) => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on("error", () => socket.destroy());
      socket.on("data", (chunk) => socket.write(`${name}${chunk}`));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    ends.push(() => server.close());
    return (server.address() as { port: number }).port;
  };
  const open = async (proxy: FaultProxy) => {
    const socket = connect({ port: proxy.port, host: "127.0.0.1", allowHalfOpen: true });
    ends.push(() => socket.destroy());
    await once(socket, "connect");
    return socket;
  };
  const ask = async (socket: Socket, word: string) => {
    socket.write(word);
    const [answer] = (await once(socket, "data")) as [Buffer];
    return answer.toString();
  };
  const proxied = async (ports: number[]) => {
    const proxy = await startProxy(() => ports);
    ends.push(() => proxy.stop());
    return proxy;
  };

  it("passes bytes on both ways, and passes over a target that refuses", async () => {
    const proxy = await proxied([1, await echo("a:")]);
    expect(await ask(await open(proxy), "x")).toBe("a:x");
    expect(await ask(await open(proxy), "y")).toBe("a:y");
  });

  it("cuts what is open, and takes new connections", async () => {
    const proxy = await proxied([await echo("a:")]);
    const socket = await open(proxy);
    await ask(socket, "x");
    proxy.cut();
    const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
    expect(error.code).toBe("ECONNRESET");
    expect(await ask(await open(proxy), "y")).toBe("a:y");
  });

  it("delays", async () => {
    const proxy = await proxied([await echo("a:")]);
    const socket = await open(proxy);
    await ask(socket, "x");
    proxy.delay(100);
    const began = performance.now();
    await ask(socket, "y");
    expect(performance.now() - began).toBeGreaterThan(190);
  });

  it("swallows until told otherwise, and loses nothing", async () => {
    const proxy = await proxied([await echo("a:")]);
    const socket = await open(proxy);
    await ask(socket, "x");
    proxy.swallow(true);
    const answer = ask(socket, "y");
    const early = await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 200, "nothing"))]);
    expect(early).toBe("nothing");
    proxy.swallow(false);
    expect(await answer).toBe("a:y");
  });

  it("closes one direction and keeps the other", async () => {
    const proxy = await proxied([await echo("a:")]);
    const socket = await open(proxy);
    await ask(socket, "x");
    const ended = once(socket, "end");
    proxy.halfClose();
    await ended;
    expect(socket.writable).toBe(true);
  });
});
