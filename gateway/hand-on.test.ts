/** Requests that are handed on to the services: the same for ingest protocols and for calls of the console. */
import { once } from "node:events";
import { createServer, type RequestListener, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, describe, expect, test } from "vitest";
import { Forwarder } from "./console/connect.ts";
import { endToEnd, handOn, type NoAnswer, upstreamAt } from "./hand-on.ts";
import { detail, send } from "./http.ts";

const opened: Server[] = [];
afterEach(async () => {
  for (const server of opened.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  opened.push(server);
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface Options {
  readonly answerTimeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** A gateway in front of the services. */
function gatewayTo(services: string, options: Options = {}): Promise<string> {
  const upstream = upstreamAt(services, { maxFreeSockets: 1 });
  return listen((incoming, response) => {
    void handOn(incoming, response, {
      ...{ upstream, path: "/", headers: { "transfer-encoding": "chunked" }, ...options },
      answerHeaders: endToEnd,
      refuse: (why: NoAnswer) => send(response, detail(why === "gone" ? 503 : 504, why)),
    });
  });
}

/** A body that does not end until it is told to. */
function begin(url: string) {
  const outgoing = request(url, { method: "POST" });
  outgoing.on("error", () => {});
  outgoing.write("x".repeat(100_000));
  const answer = once(outgoing, "response").then(async ([incoming]) => [incoming.statusCode, await text(incoming)]);
  answer.catch(() => {}); // told to whoever awaits it
  return { outgoing, answer };
}

describe("a request that is handed on", () => {
  test("is answered with what the services say, also before its body is whole", async () => {
    const services = await listen((incoming, response) => {
      response.writeHead(413, { connection: "close" }).end("too large");
      response.once("finish", () => incoming.socket.destroy());
    });
    const { outgoing, answer } = begin(await gatewayTo(services));
    expect(await answer).toEqual([413, "too large"]);
    outgoing.end();
  });

  test("is refused in words where the services are gone, also while its body is coming", async () => {
    const nobody = begin(await gatewayTo("http://127.0.0.1:1"));
    expect(await nobody.answer).toEqual([503, '{"detail":"gone"}']);
    nobody.outgoing.end();
    const breaking = begin(await gatewayTo(await listen(({ socket }) => socket.destroy())));
    expect(await breaking.answer).toEqual([503, '{"detail":"gone"}']);
    breaking.outgoing.end();
  });

  test("is refused in words where the services take it and say nothing in time; the time begins with its last byte", async () => {
    const services = await listen((incoming) => void incoming.resume());
    const { outgoing, answer } = begin(await gatewayTo(services, { answerTimeoutMs: 50 }));
    const first = Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 300, "it still waits"))]);
    expect(await first).toBe("it still waits");
    outgoing.end();
    expect(await answer).toEqual([504, '{"detail":"late"}']);
  });

  test("ends for the services when its caller leaves, before and in the middle of the answer", async () => {
    for (const begins of [false, true]) {
      const { promise: left, resolve } = Promise.withResolvers<void>();
      const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
      const services = await listen((incoming, response) => {
        arrive();
        incoming.resume();
        if (begins) response.write("first");
        response.once("close", resolve);
      });
      const { outgoing, answer } = begin(await gatewayTo(services));
      const gone = answer.catch(() => "gone");
      await (begins ? once(outgoing, "response") : arrived);
      outgoing.destroy();
      await left;
      if (begins) expect(await gone).toBe("gone");
    }
  });

  test("looks cut off where the answer is, or where it is ended", async () => {
    const ending = new AbortController();
    const services = await listen((incoming, response) => {
      incoming.resume();
      response.write("half");
    });
    const { outgoing, answer } = begin(await gatewayTo(services, { signal: ending.signal }));
    await once(outgoing, "response");
    ending.abort();
    await expect(answer).rejects.toThrow(/aborted/);
    const breaking = await listen((_, response) => {
      response.write("half");
      setImmediate(() => response.destroy());
    });
    await expect(begin(await gatewayTo(breaking)).answer).rejects.toThrow(/aborted/);
  });
});

describe("a call of the console", () => {
  /** What the services get of it, and the gateway's address. */
  async function consoleTo(services: RequestListener, ending = new AbortController()) {
    const forwarder = new Forwarder({ grpcUrl: await listen(services), ending: ending.signal });
    return listen((incoming, response) => void forwarder.forward(incoming, response));
  }
  const call = (url: string, headers: Record<string, string>) =>
    fetch(url, { method: "POST", body: "{}", headers: { "content-type": "application/json", ...headers } });

  test("has a deadline, its own or one of the gateway; a stream has none", async () => {
    const url = await consoleTo(({ headers }, response) => response.end(headers["connect-timeout-ms"] ?? "none"));
    expect(await (await call(url, {})).text()).toBe("30000");
    expect(await (await call(url, { "connect-timeout-ms": "90" })).text()).toBe("90");
    expect(await (await call(url, { "content-type": "application/connect+json" })).text()).toBe("none");
  });

  test("goes on when the gateway is about to stop; a stream ends", async () => {
    const ending = new AbortController();
    const answers: (() => void)[] = [];
    const url = await consoleTo((_, response) => {
      response.write("half ");
      answers.push(() => response.end("whole"));
    }, ending);
    const unary = await call(url, {});
    const stream = await call(url, { "content-type": "application/connect+json" });
    ending.abort();
    await expect(stream.text()).rejects.toThrow();
    for (const answer of answers) answer();
    expect(await unary.text()).toBe("half whole");
  });

  test("is refused as Connect's clients read it where the services are gone", async () => {
    const { signal } = new AbortController();
    const forwarder = new Forwarder({ grpcUrl: "http://127.0.0.1:1", ending: signal });
    const url = await listen((incoming, response) => void forwarder.forward(incoming, response));
    const answer = await call(url, {});
    expect([answer.status, (await answer.json()).code]).toEqual([503, "unavailable"]);
  });
});
