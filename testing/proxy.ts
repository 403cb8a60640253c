import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { pipeline, Transform } from "node:stream";

export interface FaultProxy {
  readonly port: number;
  /** Cuts every connection that is open, with a reset. */
  cut(): void;
  /** Each side's bytes arrive so much later, in milliseconds, from now on; 0 ends it. */
  delay(ms: number): void;
  /** Takes connections but says nothing on them, and holds what is under way: as a network that swallows packets. */
  swallow(on: boolean): void;
  /** Ends the server's direction of every open connection, and leaves the other as it is. */
  halfClose(): void;
  stop(): Promise<void>;
}

interface Link {
  readonly client: Socket;
  readonly server: Socket;
}

/** Between clients and servers on the loopback. Of several targets it takes them in turn, and passes over one that refuses. */
export async function startProxy(targets: () => readonly number[], port = 0): Promise<FaultProxy> {
  const links = new Set<Link>();
  const state = { delayMs: 0, swallow: false };
  let turn = 0;
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    client.on("error", () => client.destroy()); // the far end may vanish: that is what this is for
    void open(client);
  });

  async function open(client: Socket): Promise<void> {
    const ports = targets();
    for (let tried = 0; tried < ports.length; tried++) {
      const to = await dial(ports[turn++ % ports.length]!);
      if (!to) continue;
      const link = { client, server: to };
      links.add(link);
      to.on("error", () => client.destroy());
      const gone = () => {
        if (!client.destroyed || !to.destroyed) return;
        links.delete(link);
      };
      client.on("close", gone);
      to.on("close", gone);
      pipeline(client, new Hold(state), to, () => to.destroy());
      pipeline(to, new Hold(state), client, () => client.destroy());
      return;
    }
    client.resetAndDestroy();
  }

  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as { port: number }).port,
    cut: () => {
      for (const { client, server: to } of links) {
        client.resetAndDestroy();
        to.resetAndDestroy();
      }
    },
    delay: (ms) => {
      state.delayMs = ms;
    },
    swallow: (on) => {
      state.swallow = on;
    },
    halfClose: () => {
      for (const { client } of links) client.end();
    },
    stop: async () => await stop(server, links),
  };
}

/** Passes bytes on, late or not at all, as long as the proxy is told so. In order, and with the sender's backpressure. */
class Hold extends Transform {
  readonly #state: { readonly delayMs: number; readonly swallow: boolean };

  constructor(state: { readonly delayMs: number; readonly swallow: boolean }) {
    super();
    this.#state = state;
  }

  override _transform(chunk: Buffer, _encoding: string, done: (error: null, chunk: Buffer) => void): void {
    const pass = () => {
      if (this.#state.swallow && !this.destroyed) setTimeout(pass, 20);
      else done(null, chunk);
    };
    if (this.#state.delayMs > 0) setTimeout(pass, this.#state.delayMs);
    else pass();
  }
}

function dial(port: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    socket.once("connect", () => resolve(socket));
    socket.once("error", () => resolve(undefined));
  });
}

async function stop(server: Server, links: ReadonlySet<Link>): Promise<void> {
  server.close();
  for (const { client, server: to } of links) {
    client.destroy();
    to.destroy();
  }
  await once(server, "close");
}
