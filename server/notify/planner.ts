/**
 * Decides who is told what, and when, in the one process that leads. Each step is one transaction: events are taken, groups change and
 * messages are queued together or not at all.
 */
import type { Sql } from "postgres";
import type { Clock } from "../clock.ts";
import type { Logger } from "../observe/logger.ts";
import { type Changes, Leader } from "../postgres/leader.ts";
import { allEnded, type Ending, endWithin } from "../postgres/transaction.ts";
import { channelKeys } from "./config/channel-keys.ts";
import type { NotifyConfig, Route } from "./config/config.ts";
import { ConfigInForce, type InForceConfig, problemText } from "./config/in-force.ts";
import type { StoredConfig } from "./config/store.ts";
import { brokenAlerts, isBrokenId } from "./deliveries/broken.ts";
import { isToldEnds, tellEndsInstead } from "./deliveries/ends.ts";
import { type Delivery, failWithoutChannel, messagesSince } from "./deliveries/store.ts";
import type { Target } from "./deliveries/target.ts";
import { EVENTS_AT_ONCE, removedAlerts, takeEvents } from "./events.ts";
import { flushDue, put, reroute } from "./groups/plan.ts";
import type { Planned } from "./groups/planned.ts";
import { RATE_WINDOW_US, roomsOf } from "./groups/rate.ts";
import type { State } from "./groups/state.ts";
import { becomeWriter, loadState, readWriter, saveState } from "./groups/store.ts";
import { watchHeartbeats } from "./heartbeats/watch.ts";
import { Inhibitor } from "./inhibit.ts";
import type { KnownAlert } from "./known-alert.ts";
import type { Override } from "./oncall/oncall.ts";
import { overridesVersion, readOverrides } from "./oncall/store.ts";
import { toKnownAlert } from "./received/received-alert.ts";
import { pruneReceived, takeReceived } from "./received/store.ts";
import { routesById } from "./route.ts";
import { SilencesInForce } from "./silences/in-force.ts";
import type { SilenceIndex } from "./silences/silence.ts";
import { tellOfSilences } from "./silences/tell.ts";

/** Any constant of our own. */
const LOCK = 7_351_909_412;
/** Events whose commit was not noticed, a new configuration, and a lock that its holder has lost are looked for this often. */
const LOOK_AGAIN_MS = 1_000;
/**
 * A configuration that cannot be read here may be one of a newer version: so often, the processes of that can take over from one that goes by
 * an earlier configuration meanwhile.
 */
const STEP_ASIDE_MS = 30_000;
/** It doubles up to this: who steps aside sends nothing for a second, and reads its state again. */
const STEP_ASIDE_MOST_MS = 900_000;
/** Problems of a configuration that are logged: the others are shown with it. */
const LOGGED_PROBLEMS = 5;
/** Alerts that were removed from the store are looked for this often. */
const SWEEP_MS = 30_000;

/** What a step did; undefined: another process notifies. */
export interface Step {
  /** In force. */
  readonly config: NotifyConfig;
  /** What of the configuration that was applied last cannot be read. */
  readonly problems: number;
  /** Of our alerts, and received ones that changed. */
  readonly events: number;
  /** Messages that may be sent at once: nothing that waits is before them. */
  readonly queued: readonly Delivery[];
  readonly alerts: number;
  readonly groups: number;
  /** Channels that do not deliver. */
  readonly broken: number;
  /** Programs that give no sign of life. */
  readonly missing: number;
}

export interface PlannerOptions {
  /** Of one connection, which nothing else uses: the lock is its session's. */
  readonly sql: Sql;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly externalUrl: string;
  /** Changes whenever alert events or received alerts were committed. */
  readonly changes: Changes;
  readonly onStep: (step: Step | undefined) => void;
}

/** What a step reads first. */
interface Read {
  readonly config: InForceConfig;
  /** Who wrote the state last. */
  readonly writer: string | undefined;
  /** How often overrides have changed. */
  readonly overridesVersion: number;
  readonly silences: SilenceIndex;
}

/** The configuration in force, and the state that was routed by it. */
interface Loaded {
  readonly writer: string;
  readonly revision: number;
  readonly config: NotifyConfig;
  readonly overridesVersion: number;
  readonly overrides: readonly Override[];
  readonly routes: ReadonlyMap<string, Route>;
  readonly state: State;
  /** Keys of each receiver's channels. */
  readonly channels: ReadonlyMap<string, ReadonlySet<string>>;
  /** Ids of the alerts in it that are of channels which do not deliver. */
  readonly broken: Set<string>;
  /** Of the open alerts in it. */
  readonly inhibitor: Inhibitor;
  /** Ids of the alerts that ended in this step, with the time of their end. */
  readonly ended: Map<string, number>;
}

export class Planner {
  readonly #o: PlannerOptions;
  readonly #leader: Leader<Step, Read>;
  #loaded: Loaded | undefined;
  #sweptMs = Number.NEGATIVE_INFINITY;
  /** When silences that are to tell somebody were looked for. */
  #toldMs = Number.NEGATIVE_INFINITY;
  /** Whether heartbeats may be stored. */
  #expects = true;
  readonly #silences = new SilencesInForce();
  readonly #configs = new ConfigInForce();
  /** The last revision of which this version cannot read something. */
  #unread: number | undefined;
  /** When others were last let go first, because they may be able to read the configuration. */
  /** When this process last let others go first, for the sake of a revision. */
  #aside: { readonly revision: number; readonly pauseMs: number; readonly againMs: number } | undefined;

  constructor(options: PlannerOptions) {
    const { sql, logger, changes, onStep } = options;
    this.#o = options;
    this.#leader = new Leader({
      ...{ sql, logger, lock: LOCK, what: "notifications are decided", changes },
      lookAgainMs: LOOK_AGAIN_MS,
      read: (tx) => this.#read(tx),
      step: (tx, read) => this.#decide(tx, read),
      onStep: (step) => {
        if (step === undefined) this.#forget();
        onStep(step);
        if (step === undefined) return LOOK_AGAIN_MS;
        return step.events >= EVENTS_AT_ONCE ? 0 : this.#untilDueMs();
      },
      onFailed: () => {
        this.#forget();
        // Whether this process still leads is not known before the next step: nothing is sent until then.
        onStep(undefined);
      },
    });
  }

  /** Another process may go on meanwhile, or what was done is not stored. */
  #forget(): void {
    this.#loaded = undefined;
    this.#expects = true;
  }

  /** Waits for the step under way; then another process may go on. */
  close(): Promise<void> {
    return this.#leader.close();
  }

  async #read(tx: Sql): Promise<Read> {
    const [config, writer, version, silences] = await allEnded([
      this.#configs.read(tx),
      readWriter(tx),
      overridesVersion(tx),
      this.#silences.read(tx, this.#o.clock.nowUs()),
    ]);
    return { config, writer, overridesVersion: version, silences };
  }

  async #decide(tx: Sql, read: Read): Promise<Ending<Step> | undefined> {
    const { clock } = this.#o;
    const nowUs = clock.nowUs();
    const current = await this.#current(tx, read, nowUs);
    if (current === undefined) return undefined;
    const { config, state } = current;
    // Side by side, so that they are one way to the database.
    const [events, { missing, received }, brokenNow] = await allEnded([
      takeEvents(tx),
      this.#takeReceived(tx, config, nowUs),
      brokenAlerts(tx, isKnownTo(current)),
    ]);
    for (const alert of [...events, ...received.map(toKnownAlert)]) take(current, alert, nowUs);
    if (clock.monotonicMs() - this.#sweptMs > SWEEP_MS) {
      // Without an event: whoever heard of them hears that they are over.
      for (const id of await removedAlerts(tx)) {
        const known = state.alerts.get(id)?.alert;
        if (known?.status === "firing") take(current, { ...known, status: "resolved", endsUs: nowUs }, nowUs);
      }
      await pruneReceived(tx, nowUs);
      this.#sweptMs = clock.monotonicMs();
    }
    takeBroken(current, brokenNow, nowUs);
    const isDue = state.groups.values().some(({ nextUs }) => nextUs <= nowUs);
    const planned = isDue ? await this.#flush(tx, current, { silences: read.silences, nowUs }) : [];
    const saving = saveState(tx, state, planned, nowUs);
    const { ended } = current;
    const tellsOfSilences = clock.monotonicMs() - this.#toldMs >= LOOK_AGAIN_MS;
    const ending = ended.size === 0 && !tellsOfSilences ? saving : ofNothing(await endWithin(saving));
    if (ended.size > 0) await tellEnds(tx, current, nowUs);
    if (tellsOfSilences) await this.#tellOfSilences(tx, current, nowUs);
    const taken = events.length + received.length;
    const { length: problems } = read.config.problems;
    const step = { config, problems, events: taken, alerts: state.alerts.size, groups: state.groups.size };
    const { size: broken } = current.broken;
    return {
      statements: ending.statements,
      done: (rows) => ({ ...step, queued: ending.done(rows), broken, missing }),
    };
  }

  async #tellOfSilences(tx: Sql, { config, state }: Loaded, nowUs: number): Promise<void> {
    const { externalUrl, logger, clock } = this.#o;
    const openAlerts = () =>
      [...state.alerts.values()].map(({ alert }) => alert).filter(({ status }) => status === "firing");
    await tellOfSilences(tx, { config, externalUrl, logger, openAlerts, nowUs });
    this.#toldMs = clock.monotonicMs();
  }

  /** With what heartbeats have come to, whose alerts are received ones. */
  async #takeReceived(tx: Sql, config: NotifyConfig, nowUs: number) {
    const missing = await this.#watch(tx, config);
    return { missing, received: await takeReceived(tx, nowUs, EVENTS_AT_ONCE) };
  }

  /** Where some are expected, and once where none is any more. */
  async #watch(tx: Sql, { heartbeats }: NotifyConfig): Promise<number> {
    if (heartbeats.length === 0 && !this.#expects) return 0;
    this.#expects = heartbeats.length > 0;
    return watchHeartbeats(tx, heartbeats);
  }

  async #flush(
    tx: Sql,
    { config, overrides, routes, state, inhibitor }: Loaded,
    { silences, nowUs }: { readonly silences: SilenceIndex; readonly nowUs: number },
  ): Promise<Planned[]> {
    const limited = config.receivers.filter(({ maxMessagesPerMinute }) => maxMessagesPerMinute !== undefined);
    const names = limited.map(({ name }) => name);
    const lately = names.length === 0 ? new Map() : await messagesSince(tx, names, nowUs - RATE_WINDOW_US);
    const isSuppressed = ({ labels }: KnownAlert) =>
      silences.find(labels, nowUs) !== undefined || inhibitor.inhibitedBy(labels) !== undefined;
    const rooms = roomsOf(limited, lately, nowUs);
    const given = { config, overrides, routes, rooms };
    return flushDue(state, { ...given, isSuppressed, externalUrl: this.#o.externalUrl, nowUs });
  }

  /**
   * The state as it is stored, and the configuration in force; what is open is routed by it where it has changed. Undefined: another version
   * may be able to read that, and goes first.
   */
  async #current(tx: Sql, read: Read, nowUs: number): Promise<Loaded | undefined> {
    const { writer: lastWriter, overridesVersion: version } = read;
    this.#logProblems(read.config);
    const { stored: applied, used } = read.config;
    if (used === undefined || (used.stored !== applied && this.#stepsAside(applied))) return undefined;
    const { config, stored } = used;
    const { revision, appliedUs } = stored;
    // Another process may have gone on, and this one have its lock again, between two steps.
    const known = this.#loaded !== undefined && lastWriter === this.#loaded.writer ? this.#loaded : undefined;
    if (known?.revision === revision && known.overridesVersion === version) return known;
    const state = known?.state ?? (await loadState(tx));
    const writer = known?.writer ?? (await becomeWriter(tx));
    const routes = routesById(config.route);
    const overrides = await readOverrides(tx, { endAfterUs: nowUs });
    reroute(state, { config, overrides, routes, nowUs });
    await failWithoutChannel(tx, config, { beforeUs: appliedUs, nowUs });
    const inhibitor = new Inhibitor(config.inhibitRules);
    const channels = new Map(config.receivers.map((each) => [each.name, new Set(channelKeys(each.channels))]));
    const given = { writer, revision, config, overridesVersion: version, overrides };
    const open = [...state.alerts.values()].filter(({ alert }) => alert.status === "firing").map(({ alert }) => alert);
    const broken = new Set(open.map(({ id }) => id).filter(isBrokenId));
    for (const alert of open) inhibitor.open(alert);
    this.#loaded = { ...given, routes, channels, state, broken, inhibitor, ended: new Map() };
    return this.#loaded;
  }

  /** Once for each revision. */
  #logProblems({ stored, used, problems }: InForceConfig): void {
    const { revision } = stored;
    if (this.#unread === revision || problems.length === 0) return;
    this.#unread = revision;
    const shown = problems.slice(0, LOGGED_PROBLEMS).map(problemText);
    const about = { revision, usedRevision: used?.stored.revision, problems: shown, count: problems.length };
    this.#o.logger.error(about, `${unreadText(used, stored)}: apply one without its problems`);
  }

  #stepsAside({ revision }: StoredConfig): boolean {
    const nowMs = this.#o.clock.monotonicMs();
    const before = this.#aside?.revision === revision ? this.#aside : undefined;
    if (before !== undefined && nowMs < before.againMs) return false;
    const pauseMs = before === undefined ? STEP_ASIDE_MS : Math.min(2 * before.pauseMs, STEP_ASIDE_MOST_MS);
    this.#aside = { revision, pauseMs, againMs: nowMs + pauseMs };
    return true;
  }

  #untilDueMs(): number {
    let nextUs = Number.POSITIVE_INFINITY;
    for (const group of this.#loaded?.state.groups.values() ?? []) nextUs = Math.min(nextUs, group.nextUs);
    return Math.min(LOOK_AGAIN_MS, Math.max(0, (nextUs - this.#o.clock.nowUs()) / 1_000));
  }
}

function unreadText(used: InForceConfig["used"], applied: StoredConfig): string {
  if (used?.stored === applied)
    return "parts of the configuration of notifications cannot be read, and the platform's own are used in their place";
  const instead =
    used === undefined ? "nobody is notified of any alert" : "people are notified by the last one before it";
  return `the configuration of notifications cannot be read, because another version of the program took it, and ${instead}`;
}

/** What has ended already. */
function ofNothing<T>(done: T): Ending<T> {
  return { statements: [], done: () => done };
}

/** Whether the configuration has the channel. */
function isKnownTo({ channels }: Loaded): (target: Target) => boolean {
  return ({ receiver, channelKey }) => channels.get(receiver)?.has(channelKey) ?? false;
}

/** Alerts of channels that do not deliver; those that deliver again are over. */
function takeBroken(current: Loaded, alerts: readonly KnownAlert[], nowUs: number): void {
  const { state, broken } = current;
  for (const alert of alerts) {
    if (broken.has(alert.id)) continue;
    broken.add(alert.id);
    take(current, alert, nowUs);
  }
  const ids = new Set(alerts.map(({ id }) => id));
  for (const id of [...broken].filter((each) => !ids.has(each))) {
    broken.delete(id);
    const known = state.alerts.get(id)?.alert;
    if (known?.status === "firing") take(current, { ...known, status: "resolved", endsUs: nowUs }, nowUs);
  }
}

function take({ state, config, overrides, inhibitor, ended }: Loaded, alert: KnownAlert, nowUs: number): void {
  put(state, alert, { config, overrides, nowUs });
  if (alert.status === "firing") {
    inhibitor.open(alert);
    ended.delete(alert.id);
  } else {
    inhibitor.close(alert.id);
    ended.set(alert.id, alert.endsUs ?? nowUs);
  }
}

/** Whoever heard of an alert in place of a receiver that is notified of no ends. */
async function tellEnds(tx: Sql, { config: { receivers }, ended }: Loaded, nowUs: number): Promise<void> {
  const isOfSome = receivers.some((each) => each.fallback !== undefined && !isToldEnds(each));
  const receiverOf = (wanted: string) => receivers.find(({ name }) => name === wanted);
  if (isOfSome) await tellEndsInstead(tx, ended, { receiverOf, nowUs });
  ended.clear();
}
