/** An OPC UA server as a source of readings: a subscription to the nodes that are wanted. */
import { once } from "node:events";
import type { ClientSubscription, OPCUAClient } from "node-opcua-client";
import { delay, ignoreRejection, onAbort, orAbort } from "../../server/lib/signals.ts";
import { Pauses } from "../pauses.ts";
import type { Sample, Source, SourceParts } from "../source.ts";
import { CatchUp } from "./catch-up.ts";
import type { NodeSettings, OpcuaSettings } from "./config.ts";
import type { Opcua } from "./library.ts";
import { openSession } from "./session.ts";
import { readingOf } from "./values.ts";

/** Nodes of one request: some servers take no more. */
const MAX_AT_ONCE = 500;
/** Publishing intervals without a change after which the server says that it is there. */
const KEEP_ALIVE_COUNT = 10;
/** For so long the server keeps the subscription of a connection that is lost. */
const LIFETIME_MS = 600_000;
/** A subscription of which nothing is heard for three of its signs of life, and this, is made anew. */
const MORE_SILENCE_MS = 10_000;
/**
 * What the library may take to bring session and subscription back over a new connection. With servers that answer Republish for what
 * they do not have without an error, as asyncua 2.1 does, it asks for the next one for ever.
 */
const REPAIR_MS = 5_000;
const LOOK_MS = 1_000;

export function opcuaSource(opcua: Opcua, settings: OpcuaSettings, parts: SourceParts): Source {
  const pauses = new Pauses();
  const { counters, sampled } = parts;
  const source = settings.server.endpoint;
  const catchUp = new CatchUp(opcua, settings, parts);
  return {
    run: async (signal) => {
      while (!signal.aborted) {
        try {
          await new Subscribed(opcua, settings, { ...parts, catchUp }, () => pauses.reset()).run(signal);
        } catch (error) {
          counters.sourceConnected.set({ source }, 0);
          if (signal.aborted) break;
          const why = error instanceof Error ? error.message : String(error);
          sampled.say("opcua", { server: source, why }, "no readings of the server: trying again");
          await pauses.next(signal).catch((ended: unknown) => {
            if (!signal.aborted) throw ended;
          });
        }
      }
      catchUp.end();
    },
  };
}

/** Reads the value of every node once. */
export async function sampleOpcua(
  opcua: Opcua,
  { server, nodes }: OpcuaSettings,
  nowUs: () => number,
): Promise<Sample[]> {
  const { session, close } = await openSession(opcua, server);
  try {
    const samples: Sample[] = [];
    for (const some of chunks(nodes)) {
      const values = await session.read(some.map((node) => valueAttribute(opcua, node)));
      for (const [i, node] of some.entries()) {
        const found = readingOf(node, values[i]!, nowUs());
        samples.push({ sensorId: node.sensorId, origin: node.nodeId, found: "reason" in found ? found.why : found });
      }
    }
    return samples;
  } finally {
    await close();
  }
}

interface Parts extends SourceParts {
  readonly catchUp: CatchUp;
}

type Session = Awaited<ReturnType<typeof openSession>>["session"];

/** A session with a subscription, from its beginning to its end. */
class Subscribed {
  readonly #opcua: Opcua;
  readonly #settings: OpcuaSettings;
  readonly #parts: Parts;
  readonly #onHeard: () => void;
  readonly #broken = Promise.withResolvers<never>();
  /** Aborts with the connection. */
  #lost = new AbortController();
  /** All nodes are monitored. */
  #isSubscribed = false;
  #heardMs = 0;
  /** Since when there is a connection again whose session is not back. */
  #repairingMs: number | undefined;

  constructor(opcua: Opcua, settings: OpcuaSettings, parts: Parts, onHeard: () => void) {
    this.#opcua = opcua;
    this.#settings = settings;
    this.#parts = parts;
    this.#onHeard = onHeard;
  }

  /** @throws why it has ended, where that was not asked for */
  async run(signal: AbortSignal): Promise<void> {
    const { counters, logger } = this.#parts;
    const { endpoint } = this.#settings.server;
    const opening = openSession(this.#opcua, this.#settings.server);
    this.#parts.catchUp.interrupt();
    const { client, session, close } = await orAbort(opening, signal).catch((error: unknown) => {
      // A server that answers after the end.
      opening.then((late) => late.close(), ignoreRejection);
      throw error;
    });
    const left = onAbort(signal, () => this.#broken.reject(signal.reason));
    const over = new AbortController();
    // Beside the watch: it waits where the spool has no room.
    const resume = () => {
      this.#parts.catchUp.resume(session, this.#lost.signal).catch((error: unknown) => this.#broken.reject(error));
    };
    try {
      session.on("session_closed", (status) =>
        this.#broken.reject(new Error(`the session was closed (${status.name})`)),
      );
      client.on("after_reconnection", () => {
        this.#repairingMs = this.#parts.clock.monotonicMs();
      });
      client.on("connection_lost", () => {
        this.#repairingMs = undefined;
        // The library would go on with half of a subscription, or wait for one that it cannot repair.
        if (!this.#isSubscribed)
          this.#broken.reject(new Error("the connection was lost before all nodes were monitored"));
        this.#lost.abort(new Error("the connection is lost"));
        this.#parts.catchUp.interrupt();
        counters.sourceConnected.set({ source: endpoint }, 0);
        logger.warn({ server: endpoint }, "the connection to the server is lost: connecting again");
      });
      client.on("connection_reestablished", () => {
        // Too late, while it is closed: the next session reads what is missing.
        if (over.signal.aborted) return;
        this.#repairingMs = undefined;
        counters.sourceConnected.set({ source: endpoint }, 1);
        logger.info({ server: endpoint }, "connected to the server again");
        this.#lost = new AbortController();
        resume();
      });
      await Promise.race([this.#subscribe(session), this.#broken.promise]);
      logger.info({ server: endpoint, nodes: this.#settings.nodes.length }, "subscribed");
      counters.sourceConnected.set({ source: endpoint }, 1);
      resume();
      await Promise.race([this.#broken.promise, this.#watch(client, over.signal)]);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      left();
      over.abort(new Error("the session is over"));
      this.#lost.abort(new Error("the session is over"));
      await close();
    }
  }

  async #subscribe(session: Session): Promise<void> {
    const { publishingMs, nodes } = this.#settings;
    // Not by the session's own method, which ends the process where the session ends between the answer and the event.
    const subscription = this.#opcua.client.ClientSubscription.create(session, {
      requestedPublishingInterval: publishingMs,
      requestedMaxKeepAliveCount: KEEP_ALIVE_COUNT,
      requestedLifetimeCount: Math.max(3 * KEEP_ALIVE_COUNT, Math.ceil(LIFETIME_MS / publishingMs)),
      maxNotificationsPerPublish: 0, // no limit: the nodes' own queues are one
      publishingEnabled: true,
    });
    await once(subscription, "started");
    this.#heardMs = this.#parts.clock.monotonicMs();
    for (const sign of ["keepalive", "received_notifications"] as const) subscription.on(sign, () => this.#heard());
    subscription.on("terminated", () => this.#broken.reject(new Error("the server has ended the subscription")));
    // Nodes that are asked for in the same way.
    const groups = Map.groupBy(
      nodes,
      ({ samplingMs, queueSize, deadband }) => `${samplingMs} ${queueSize} ${deadband}`,
    );
    for (const group of groups.values())
      for (const some of chunks(group)) {
        this.#lost.signal.throwIfAborted();
        await this.#monitor(subscription, some);
      }
    this.#isSubscribed = true;
  }

  async #monitor(subscription: ClientSubscription, nodes: readonly NodeSettings[]): Promise<void> {
    const { client } = this.#opcua;
    const { samplingMs, queueSize, deadband } = nodes[0]!;
    const group = await subscription.monitorItems(
      nodes.map((node) => valueAttribute(this.#opcua, node)),
      {
        samplingInterval: samplingMs,
        queueSize,
        discardOldest: true,
        filter: new client.DataChangeFilter({
          trigger: client.DataChangeTrigger.StatusValue,
          deadbandType: deadband === 0 ? client.DeadbandType.None : client.DeadbandType.Absolute,
          deadbandValue: deadband,
        }),
      },
      client.TimestampsToReturn.Both,
    );
    group.on("changed", (_, data, index) => this.#parts.catchUp.take(nodes[index]!, data));
    for (const [i, { statusCode }] of group.monitoredItems.entries()) {
      if (statusCode?.isNotGood()) {
        this.#parts.catchUp.failed(nodes[i]!, `the server does not monitor it (${statusCode.name})`);
      }
    }
  }

  #heard(): void {
    this.#heardMs = this.#parts.clock.monotonicMs();
    // A server that takes a subscription and gives nothing is none that works.
    this.#onHeard();
  }

  /** The library brings a lost connection back, and what it had subscribed; whether that has worked shows by what comes. */
  async #watch(client: OPCUAClient, over: AbortSignal): Promise<never> {
    const longestMs = 3 * KEEP_ALIVE_COUNT * this.#settings.publishingMs + MORE_SILENCE_MS;
    const { clock } = this.#parts;
    for (;;) {
      await delay(LOOK_MS, over);
      const nowMs = clock.monotonicMs();
      this.#parts.catchUp.look();
      if (this.#repairingMs !== undefined && nowMs - this.#repairingMs > REPAIR_MS) {
        throw new Error("the server does not bring the session back");
      }
      if (client.isReconnecting) this.#heardMs = nowMs;
      else if (nowMs - this.#heardMs > longestMs) throw new Error("nothing is heard of the subscription");
    }
  }
}

function valueAttribute({ client }: Opcua, { nodeId }: NodeSettings) {
  return { nodeId, attributeId: client.AttributeIds.Value };
}

function* chunks<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let i = 0; i < all.length; i += MAX_AT_ONCE) yield all.slice(i, i + MAX_AT_ONCE);
}
