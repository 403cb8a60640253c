/** An OPC UA server as a source of readings: a subscription to the nodes that are wanted. */
import type { ClientSubscription, DataValue, OPCUAClient } from "node-opcua-client";
import type { DeviceReading } from "../../client/index.ts";
import { delay, ignoreRejection, onAbort, orAbort } from "../../server/lib/signals.ts";
import { Pauses } from "../pauses.ts";
import type { Sample, Source, SourceParts } from "../source.ts";
import type { NodeSettings, OpcuaSettings } from "./config.ts";
import { type Gap, historyOf, MAX_NODE_VALUES } from "./history.ts";
import type { Opcua } from "./library.ts";
import { NewestTimes } from "./newest.ts";
import { openSession } from "./session.ts";
import { hasOverflowed, readingOf } from "./values.ts";

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
/** How often the times of the newest readings are written down. */
const SAVE_MS = 5_000;
/** History is read from so long before the newest reading of all nodes: those of others may have been on their way. */
const MARGIN_US = 60_000_000;
/** And to so long past now, by the collector's clock: the server's may be ahead. */
const AHEAD_US = 3_600_000_000;
/** Readings that wait until history is read. */
const MAX_HELD = 100_000;

export function opcuaSource(opcua: Opcua, settings: OpcuaSettings, parts: SourceParts): Source {
  const pauses = new Pauses();
  const { counters, sampled } = parts;
  const source = settings.server.endpoint;
  const history = { newest: new NewestTimes(settings.spool.folder), kept: new Set<string>() };
  return {
    run: async (signal) => {
      while (!signal.aborted) {
        try {
          await new Subscribed(opcua, settings, { ...parts, history }, () => pauses.reset()).run(signal);
        } catch (error) {
          counters.sourceConnected.set({ source }, 0);
          if (signal.aborted) return;
          const why = error instanceof Error ? error.message : String(error);
          sampled.say("opcua", { server: source, why }, "no readings of the server: trying again");
          await pauses.next(signal).catch((ended: unknown) => {
            if (!signal.aborted) throw ended;
          });
        }
      }
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
  readonly history: {
    readonly newest: NewestTimes;
    /** Ids of the nodes of which the server has given some. */
    readonly kept: Set<string>;
  };
}

interface NodeReading {
  readonly node: NodeSettings;
  readonly reading: DeviceReading & { readonly observedAtUs: number };
}

type Session = Awaited<ReturnType<typeof openSession>>["session"];

/** A session with a subscription, from its beginning to its end. */
class Subscribed {
  readonly #opcua: Opcua;
  readonly #settings: OpcuaSettings;
  readonly #parts: Parts;
  readonly #onHeard: () => void;
  readonly #broken = Promise.withResolvers<never>();
  /** Nodes that gave no reading the last time. */
  readonly #failing = new Set<NodeSettings>();
  #gathered: NodeReading[] = [];
  /** What comes before the history of the time before it is read; undefined: nothing is waited for. */
  #held: NodeReading[] | undefined = [];
  /** Of the connection, or of the session: history that is read at the time of one is read again after it. */
  #losses = 0;
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
    this.#parts.history.newest.openGap();
    const { client, session, close } = await orAbort(opening, signal).catch((error: unknown) => {
      // A server that answers after the end.
      opening.then((late) => late.close(), ignoreRejection);
      throw error;
    });
    const left = onAbort(signal, () => this.#broken.reject(signal.reason));
    const over = new AbortController();
    // Beside the watch: it waits where the spool has no room.
    const fill = () => void this.#fill(session).catch((error: unknown) => this.#broken.reject(error));
    try {
      session.on("session_closed", (status) =>
        this.#broken.reject(new Error(`the session was closed (${status.name})`)),
      );
      client.on("after_reconnection", () => {
        this.#repairingMs = this.#parts.clock.monotonicMs();
      });
      client.on("connection_lost", () => {
        this.#repairingMs = undefined;
        this.#losses++;
        this.#held ??= [];
        this.#parts.history.newest.openGap();
        counters.sourceConnected.set({ source: endpoint }, 0);
        logger.warn({ server: endpoint }, "the connection to the server is lost: connecting again");
      });
      client.on("connection_reestablished", () => {
        this.#repairingMs = undefined;
        counters.sourceConnected.set({ source: endpoint }, 1);
        logger.info({ server: endpoint }, "connected to the server again");
        fill();
      });
      await Promise.race([this.#subscribe(session), this.#broken.promise]);
      logger.info({ server: endpoint, nodes: this.#settings.nodes.length }, "subscribed");
      counters.sourceConnected.set({ source: endpoint }, 1);
      fill();
      await Promise.race([this.#broken.promise, this.#watch(client, over.signal)]);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      left();
      over.abort(new Error("the session is over"));
      this.#losses++;
      this.#letGo();
      await close();
    }
  }

  async #subscribe(session: Session): Promise<void> {
    const { publishingMs, nodes } = this.#settings;
    const subscription = await session.createSubscription2({
      requestedPublishingInterval: publishingMs,
      requestedMaxKeepAliveCount: KEEP_ALIVE_COUNT,
      requestedLifetimeCount: Math.max(3 * KEEP_ALIVE_COUNT, Math.ceil(LIFETIME_MS / publishingMs)),
      maxNotificationsPerPublish: 0, // no limit: the nodes' own queues are one
      publishingEnabled: true,
    });
    this.#heardMs = this.#parts.clock.monotonicMs();
    for (const sign of ["keepalive", "received_notifications"] as const) subscription.on(sign, () => this.#heard());
    subscription.on("terminated", () => this.#broken.reject(new Error("the server has ended the subscription")));
    // Nodes that are asked for in the same way.
    const groups = Map.groupBy(
      nodes,
      ({ samplingMs, queueSize, deadband }) => `${samplingMs} ${queueSize} ${deadband}`,
    );
    for (const group of groups.values()) for (const some of chunks(group)) await this.#monitor(subscription, some);
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
    group.on("changed", (_, data, index) => this.#changed(nodes[index]!, data));
    for (const [i, { statusCode }] of group.monitoredItems.entries()) {
      if (statusCode?.isNotGood()) {
        this.#failed(nodes[i]!, `the server does not monitor it (${statusCode.name})`);
      }
    }
  }

  #heard(): void {
    this.#heardMs = this.#parts.clock.monotonicMs();
    // A server that takes a subscription and gives nothing is none that works.
    this.#onHeard();
  }

  #changed(node: NodeSettings, data: DataValue): void {
    const { counters, clock, logger } = this.#parts;
    if (hasOverflowed(data)) counters.lost("overflow");
    const found = readingOf(node, data, clock.nowUs());
    if ("reason" in found) {
      counters.lost(found.reason);
      this.#failed(node, found.why);
      return;
    }
    if (this.#failing.delete(node))
      logger.info({ sensor: node.sensorId, node: node.nodeId }, "the node gives readings again");
    const each = { node, reading: found };
    if (this.#held !== undefined) {
      if (this.#held.length < MAX_HELD) this.#held.push(each);
      else counters.lost("overflow");
      return;
    }
    // Those of one message of the server go to the spool together.
    if (this.#gathered.length === 0) queueMicrotask(() => this.#handOver(this.#gathered.splice(0)));
    this.#gathered.push(each);
  }

  #handOver(some: readonly NodeReading[]): void {
    if (!this.#parts.spool.offer(some.map(({ reading }) => reading))) return;
    for (const { node, reading } of some) this.#parts.history.newest.saw(node.nodeId, reading.observedAtUs);
  }

  /** At the end of the session: what the server keeps of it the next one brings, behind what is missing before it. */
  #letGo(): void {
    const { spool, history } = this.#parts;
    // Not as the newest of their nodes: what is missing is before them.
    const rest = (this.#held ?? []).filter(({ node }) => !history.kept.has(node.nodeId));
    spool.offer(rest.map(({ reading }) => reading));
    this.#held = [];
  }

  /** Reads what came while nobody listened, and then lets go what has come since. */
  async #fill(session: Session): Promise<void> {
    const losses = this.#losses;
    const gap = this.#gap();
    const filled = gap === undefined ? new Set<NodeSettings>() : await this.#readHistory(session, gap);
    // Lost meanwhile: what is missing now is read when the connection is back.
    if (losses !== this.#losses) return;
    const held = this.#held ?? [];
    this.#held = undefined;
    const { newest } = this.#parts.history;
    newest.closeGap();
    const isNew = ({ node, reading }: NodeReading) =>
      !filled.has(node) || reading.observedAtUs > (newest.of(node.nodeId) ?? Number.NEGATIVE_INFINITY);
    this.#handOver(held.filter(isNew));
  }

  /** Undefined where there was nothing before, or history is not wanted. */
  #gap(): Gap | undefined {
    const { clock, history } = this.#parts;
    const { historyMs } = this.#settings;
    const { gapUs } = history.newest;
    if (gapUs === undefined || historyMs === 0) return undefined;
    const nowUs = clock.nowUs();
    // A source whose clock is wrong may be far ahead.
    const fromUs = Math.max(Math.min(gapUs, nowUs) - MARGIN_US, nowUs - historyMs * 1_000);
    return { fromUs, toUs: nowUs + AHEAD_US };
  }

  /** @returns nodes of which it has given readings */
  async #readHistory(session: Session, gap: Gap): Promise<ReadonlySet<NodeSettings>> {
    const { logger, history } = this.#parts;
    const { newest } = history;
    const server = this.#settings.server.endpoint;
    const filled = new Set<NodeSettings>();
    // Before anything of them is taken: of what is older, nothing is missing.
    const known = new Map(this.#settings.nodes.map(({ nodeId }) => [nodeId, newest.of(nodeId)]));
    let count = 0;
    try {
      for await (const { node, values, isCut } of historyOf(this.#opcua, session, this.#settings.nodes, gap)) {
        const readings = this.#missing(node, values, known.get(node.nodeId) ?? gap.fromUs - 1);
        if (isCut)
          logger.warn({ sensor: node.sensorId, readings: MAX_NODE_VALUES }, "the gap has more readings than are read");
        if (readings.length === 0) continue;
        await this.#parts.spool.store(readings);
        history.kept.add(node.nodeId);
        count += readings.length;
        filled.add(node);
        known.set(node.nodeId, readings.at(-1)!.observedAtUs);
        newest.saw(node.nodeId, readings.at(-1)!.observedAtUs);
      }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      logger.info({ server, why }, "the server's history cannot be read: what came meanwhile is missing");
    }
    if (count > 0) {
      const from = new Date(gap.fromUs / 1_000).toISOString();
      logger.info({ server, readings: count, nodes: filled.size, from }, "read from the server's history");
    }
    return filled;
  }

  /** Readings behind a time, in the order of their times, one of each. */
  #missing(node: NodeSettings, values: readonly DataValue[], afterUs: number): NodeReading["reading"][] {
    const found: NodeReading["reading"][] = [];
    for (const value of values) {
      // Without a time it is nowhere.
      const each = readingOf(node, value, Number.NaN);
      if ("reason" in each) this.#parts.counters.lost(each.reason);
      else if (each.observedAtUs > afterUs) found.push(each);
    }
    found.sort((a, b) => a.observedAtUs - b.observedAtUs);
    return found.filter((each, i) => each.observedAtUs !== found[i - 1]?.observedAtUs);
  }

  #failed(node: NodeSettings, why: string): void {
    if (this.#failing.has(node)) return;
    this.#failing.add(node);
    this.#parts.logger.warn({ sensor: node.sensorId, node: node.nodeId, why }, "no reading of a node");
  }

  #save(): void {
    try {
      this.#parts.history.newest.save();
    } catch (error) {
      // On a full disk readings wait; without the file the next start reads no history.
      const why = error instanceof Error ? error.message : String(error);
      this.#parts.sampled.say("newest", { why }, "the times of the newest readings cannot be written down");
    }
  }

  /** The library brings a lost connection back, and what it had subscribed; whether that has worked shows by what comes. */
  async #watch(client: OPCUAClient, over: AbortSignal): Promise<never> {
    const longestMs = 3 * KEEP_ALIVE_COUNT * this.#settings.publishingMs + MORE_SILENCE_MS;
    const { clock } = this.#parts;
    let savedMs = clock.monotonicMs();
    for (;;) {
      await delay(LOOK_MS, over);
      const nowMs = clock.monotonicMs();
      if (nowMs - savedMs >= SAVE_MS) {
        savedMs = nowMs;
        this.#save();
      }
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
