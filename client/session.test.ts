import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import { connect } from "node:net";
import { Code } from "@connectrpc/connect";
import { afterEach, expect, it } from "vitest";
import { createAuthority } from "../testing/certificates.ts";
import { freePort } from "../testing/processes.ts";
import { Session } from "./session.ts";

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A server that answers every request with its name. */
async function serve(name: string, port: number) {
  const server = http2.createServer((_, response) => response.end(name));
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on("session", (session) => sessions.add(session));
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const stop = async () => {
    for (const session of sessions) session.destroy();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  ends.push(stop);
  return { stop, sessions };
}

function open(port: number): Session {
  const session = new Session(`http://127.0.0.1:${port}`);
  ends.push(() => session.close());
  return session;
}

async function ask(session: Session): Promise<string> {
  const stream = await session.request("GET", "/", {}, {});
  stream.setEncoding("utf8");
  let text = "";
  for await (const chunk of stream) text += chunk;
  return text;
}

it("uses one connection for calls at the same time", async () => {
  const port = await freePort();
  const { sessions } = await serve("a", port);
  const session = open(port);
  expect(await Promise.all([ask(session), ask(session), ask(session)])).toEqual(["a", "a", "a"]);
  expect(sessions.size).toBe(1);
});

it("connects again after the server was replaced, also when it had said goodbye", async () => {
  const port = await freePort();
  const first = await serve("a", port);
  const session = open(port);
  expect(await ask(session)).toBe("a");
  for (const each of first.sessions) each.goaway();
  await first.stop();
  const failure = () => ask(session).catch(({ code }) => code);
  await expect.poll(failure).toBe("ECONNREFUSED");
  await serve("b", port);
  expect(await ask(session)).toBe("b");
});

function authority() {
  const made = createAuthority();
  ends.push(() => made.remove());
  return made;
}

it.each([
  ["HTTP/1.1", "http", () => http.createServer(), /^http:.* does not speak gRPC: give the gRPC port/],
  ["TLS", "http", () => http2.createSecureServer(authority().issue("localhost")), /a server with TLS wants https:/],
  ["no TLS", "https", () => http2.createServer(), /^https:.* does not speak TLS: give the gRPC port/],
] as const)("says which port is wanted where the other side speaks %s", async (_, scheme, create, hint) => {
  const port = await freePort();
  const server = create();
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  ends.push(() => new Promise((resolve) => server.close(resolve)));
  const session = new Session(`${scheme}://127.0.0.1:${port}`);
  ends.push(() => session.close());
  const failure = await ask(session).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: Code.Unavailable, rawMessage: expect.stringMatching(hint) });
});

it("fails a call that waits for the connection when it is closed", async () => {
  const silent = await freePort();
  const server = http2.createServer();
  server.listen(silent, "127.0.0.1");
  await once(server, "listening");
  ends.push(() => new Promise((resolve) => server.close(resolve)));
  const session = open(silent);
  const call = ask(session);
  session.close();
  await expect(call).rejects.toThrow(/closed|destroyed/);
  connect(silent, "127.0.0.1").destroy();
});
