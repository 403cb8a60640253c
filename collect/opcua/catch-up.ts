/**
 * The values of a server on their way to the spool, in the order of their times: what comes waits while the server's history is read of the
 * time in which nobody listened. It outlives sessions, since the next one goes on where one has ended.
 */
import type { DataValue } from "node-opcua-client";
import { Pauses } from "../pauses.ts";
import type { SourceParts } from "../source.ts";
import type { NodeSettings, OpcuaSettings } from "./config.ts";
import {
  type Gap,
  HistoryFault,
  type HistorySession,
  type HistoryValues,
  historyOf,
  MAX_NODE_VALUES,
} from "./history.ts";
import type { Opcua } from "./library.ts";
import { NewestTimes } from "./newest.ts";
import { type Found, type FoundReading, hasOverflowed, isReading, readingOf } from "./values.ts";
import { Waiting } from "./waiting.ts";

/** History is read from so long before the newest reading of all nodes: those of others may have been on their way. */
const MARGIN_US = 60_000_000;
/** And to so long past now, by the collector's clock: the server's may be ahead. */
const AHEAD_US = 3_600_000_000;
/** Values that wait until history is read. Past it they go on, and the history that comes after them is late. */
const MAX_HELD = 100_000;
/** So do they when history could not be read so often: some seconds, or a minute where the server does not answer. */
const HELD_TRIES = 5;
/** How often the times of the newest values are written down. */
const SAVE_MS = 5_000;

interface NodeValue {
  readonly node: NodeSettings;
  readonly found: Found;
}

export class CatchUp {
  readonly #opcua: Opcua;
  readonly #settings: OpcuaSettings;
  readonly #parts: SourceParts;
  readonly #newest: NewestTimes;
  /** Sensors of which the server has given history. */
  readonly #kept = new Set<string>();
  /** Nodes that gave no reading the last time. */
  readonly #failing = new Set<NodeSettings>();
  #gathered: NodeValue[] = [];
  /** What comes before history is read; undefined: nothing is waited for. */
  #held: Waiting | undefined;
  #savedMs = Number.NEGATIVE_INFINITY;

  constructor(opcua: Opcua, settings: OpcuaSettings, parts: SourceParts) {
    this.#opcua = opcua;
    this.#settings = settings;
    this.#parts = parts;
    this.#newest = new NewestTimes(settings.spool.folder);
  }

  /** Nobody listens from now on. */
  interrupt(): void {
    this.#newest.openGap();
    this.#held ??= new Waiting(this.#settings.publishingMs);
    this.#held.interrupt();
  }

  /** What the server sends. */
  take(node: NodeSettings, data: DataValue): void {
    const { counters, clock } = this.#parts;
    if (hasOverflowed(data)) counters.lost("overflow");
    const found = readingOf(node, data, clock.nowUs());
    if (this.#held !== undefined) {
      this.#held.add(node, found);
      if (this.#held.count >= MAX_HELD) this.#letGo();
      return;
    }
    // Those of one message of the server go to the spool together.
    if (this.#gathered.length === 0) queueMicrotask(() => this.#handOver(this.#gathered.splice(0)));
    this.#gathered.push({ node, found });
  }

  /** Reads what came while nobody listened, as often as it takes, and then lets go what has come since. @param lost ends it */
  async resume(session: HistorySession, lost: AbortSignal): Promise<void> {
    const { clock, sampled } = this.#parts;
    const server = this.#settings.server.endpoint;
    const resumedUs = clock.nowUs();
    const pauses = new Pauses();
    const wanted = new Set(this.#settings.nodes);
    for (let tries = 1; ; tries++) {
      const fault = await this.#readHistory(session, wanted, this.#gap(resumedUs), lost);
      if (lost.aborted) return;
      if (fault === undefined) break;
      if (tries >= HELD_TRIES) this.#letGo();
      sampled.say("opcua history", { server, why: fault }, "the server's history cannot be read: trying again");
      await pauses.next(lost).catch((error: unknown) => {
        if (!lost.aborted) throw error;
      });
      if (lost.aborted) return;
    }
    this.#letGo();
    this.#newest.closeGap();
  }

  /**
   * At the end of the collector: of the nodes that the server keeps, the next start asks for it, behind what is missing before it. Where
   * it would not know from when on, nothing is left to it.
   */
  end(): void {
    const isAskedFor = ({ node }: NodeValue) => this.#newest.isWritten && this.#kept.has(node.sensorId);
    this.#handOver([...(this.#held?.rest() ?? [])].filter((value) => !isAskedFor(value)));
    this.#held = undefined;
  }

  failed(node: NodeSettings, why: string): void {
    if (this.#failing.has(node)) return;
    this.#failing.add(node);
    this.#parts.logger.warn({ sensor: node.sensorId, node: node.nodeId, why }, "no reading of a node");
  }

  /** To be called again and again. */
  look(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    if (nowMs - this.#savedMs < SAVE_MS) return;
    this.#savedMs = nowMs;
    this.#save();
  }

  #save(): void {
    try {
      this.#newest.save(this.#parts.spool.puts);
    } catch (error) {
      // On a full disk readings wait; without the file the next start reads no history.
      const why = error instanceof Error ? error.message : String(error);
      this.#parts.sampled.say("newest", { why }, "the times of the newest readings cannot be written down");
    }
  }

  #letGo(): void {
    const held = this.#held;
    this.#held = undefined;
    this.#handOver([...(held?.rest() ?? [])]);
  }

  #handOver(values: readonly NodeValue[]): void {
    const { counters, logger, spool } = this.#parts;
    const readings: FoundReading[] = [];
    for (const { node, found } of values) {
      if ("reason" in found) {
        counters.lost(found.reason);
        this.failed(node, found.why);
        continue;
      }
      readings.push(found);
      if (this.#failing.delete(node))
        logger.info({ sensor: node.sensorId, node: node.nodeId }, "the node gives readings again");
    }
    if (readings.length > 0 && !spool.offer(readings)) return;
    for (const { node, found } of values) this.#newest.saw(node.sensorId, found.observedAtUs);
  }

  /** Undefined where there was nothing before, or history is not wanted, or all of it is too old by now. */
  #gap(resumedUs: number): Gap | undefined {
    const { gapUs } = this.#newest;
    const nowUs = this.#parts.clock.nowUs();
    const oldestUs = nowUs - this.#settings.historyMs * 1_000;
    if (gapUs === undefined || resumedUs <= oldestUs) return undefined;
    // A source whose clock is wrong may be far ahead.
    return { fromUs: Math.max(Math.min(gapUs, nowUs) - MARGIN_US, oldestUs), toUs: nowUs + AHEAD_US };
  }

  /**
   * @param wanted nodes; those of which nothing more is to be had are taken out
   * @returns why something is still missing, where another try may help
   */
  async #readHistory(
    session: HistorySession,
    wanted: Set<NodeSettings>,
    gap: Gap | undefined,
    lost: AbortSignal,
  ): Promise<string | undefined> {
    if (gap === undefined) return undefined;
    const { logger } = this.#parts;
    const server = this.#settings.server.endpoint;
    const counts = new Map<NodeSettings, number>();
    let fault: string | undefined;
    try {
      for await (const page of historyOf(this.#opcua, session, [...wanted], gap, lost)) {
        // What is missing then, the next connection brings.
        if (lost.aborted) break;
        const { node } = page;
        if ("fault" in page) {
          if (page.fault === undefined) wanted.delete(node);
          else fault = `${node.nodeId}: ${page.fault}`;
        } else counts.set(node, (counts.get(node) ?? 0) + (await this.#store(page, gap)));
      }
    } catch (error) {
      if (!(error instanceof HistoryFault)) throw error;
      if (error.isFinal)
        logger.info({ server, why: error.message }, "the server has no history: what came meanwhile is missing");
      else fault = error.message;
    }
    const filled = [...counts.values()].filter((count) => count > 0);
    if (filled.length > 0) {
      const readings = filled.reduce((sum, count) => sum + count, 0);
      const from = new Date(gap.fromUs / 1_000).toISOString();
      logger.info({ server, readings, nodes: filled.length, from }, "read from the server's history");
    }
    return fault;
  }

  /** @returns how many readings of the page were missing */
  async #store({ node, values, isCut }: HistoryValues, gap: Gap): Promise<number> {
    const { logger, spool } = this.#parts;
    this.#kept.add(node.sensorId);
    if (isCut)
      logger.warn({ sensor: node.sensorId, readings: MAX_NODE_VALUES }, "the gap has more readings than are read");
    const { readings, newestUs } = this.#missing(node, values, gap);
    if (readings.length > 0) await spool.store(readings);
    if (newestUs !== undefined) this.#newest.fill(node.sensorId, newestUs);
    return readings.length;
  }

  /**
   * What is missing of a node, with what waits that history lacks, in the order of the times, one of each; and the time of the newest,
   * also of one that is bad.
   */
  #missing(node: NodeSettings, values: readonly DataValue[], { fromUs }: Gap) {
    // Without a time a value is nowhere.
    const all = values.map((value) => readingOf(node, value, Number.NaN));
    const missing = all.filter(({ observedAtUs }) => this.#newest.isMissing(node.sensorId, observedAtUs, fromUs));
    missing.sort((a, b) => a.observedAtUs - b.observedAtUs);
    const once = missing.filter(({ observedAtUs }, i) => observedAtUs !== missing[i - 1]?.observedAtUs);
    const whole = this.#held?.merge(node, once) ?? once;
    for (const each of whole) if ("reason" in each) this.#parts.counters.lost(each.reason);
    return { readings: whole.filter(isReading), newestUs: whole.at(-1)?.observedAtUs };
  }
}
