/** The live messages between the processes of an installation, over the bus. */
import { randomUUID } from "node:crypto";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { InterestNoticeSchema, SettledNoticeSchema } from "../../gen/es/telltale/v1/notice_pb.ts";
import type { RecordOutcome } from "../log/outcome.ts";
import { fromNotice, toNotice } from "../log/outcome-notice.ts";
import type { Interest } from "../scoring/messages.ts";
import type { Bus } from "./cache.ts";

const SETTLED = "telltale/settled";
const LIVE = "telltale/live";
const ALERTS = "telltale/alerts";
const NOTIFIABLE = "telltale/notifiable";
const INCIDENTS = "telltale/incidents";
const INTEREST = "telltale/interest";
const NAMES = "telltale/names";

/** A process's interest is repeated this often, and forgotten after three that did not come. */
const REPEAT_INTEREST_MS = 5000;
const FORGET_INTEREST_MS = 15_000;

const empty = new Uint8Array();

export class Notices {
  readonly #bus: Bus;
  readonly #process = randomUUID();
  #interest: Interest | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #ends: (() => void)[] = [];

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  publishSettled(partition: number, outcomes: readonly RecordOutcome[]): void {
    const notice = create(SettledNoticeSchema, { partition, outcomes: outcomes.map(toNotice) });
    this.#bus.publish(SETTLED, toBinary(SettledNoticeSchema, notice));
  }

  async onSettled(handle: (partition: number, outcomes: readonly RecordOutcome[]) => void): Promise<void> {
    const end = await this.#bus.subscribe(
      SETTLED,
      (bytes) => {
        const { partition, outcomes } = fromBinary(SettledNoticeSchema, bytes);
        handle(partition, outcomes.map(fromNotice));
      },
      // What was lost is looked up in the store.
      () => {},
    );
    this.#ends.push(end);
  }

  /** `readings`: a LiveReadingsNotice in binary form. */
  publishLive(readings: Uint8Array): void {
    this.#bus.publish(LIVE, readings);
  }

  async onLive(handle: (readings: Uint8Array) => void, onGap: () => void): Promise<void> {
    this.#ends.push(await this.#bus.subscribe(LIVE, handle, onGap));
  }

  publishAlerts(): void {
    this.#bus.publish(ALERTS, empty);
  }

  /** The events are in the store: after a gap it is enough to look again. */
  async onAlerts(handle: () => void): Promise<void> {
    this.#ends.push(await this.#bus.subscribe(ALERTS, handle, handle));
  }

  /** Notifications have something to look at that is no alert event, such as received alerts and silences. */
  publishNotifiable(): void {
    this.#bus.publish(NOTIFIABLE, empty);
  }

  /** All of it is in the store: after a gap it is enough to look again. */
  async onNotifiable(handle: () => void): Promise<void> {
    this.#ends.push(await this.#bus.subscribe(NOTIFIABLE, handle, handle));
  }

  publishIncidents(): void {
    this.#bus.publish(INCIDENTS, empty);
  }

  /** The incidents are in the store: after a gap it is enough to look again. */
  async onIncidents(handle: () => void): Promise<void> {
    this.#ends.push(await this.#bus.subscribe(INCIDENTS, handle, handle));
  }

  publishNames(): void {
    this.#bus.publish(NAMES, empty);
  }

  /** The names of sensors are in the store: after a gap it is enough to look again. */
  async onNames(handle: () => void): Promise<void> {
    this.#ends.push(await this.#bus.subscribe(NAMES, handle, handle));
  }

  /** What this process's watchers want to see, until it is published again. */
  setInterest(interest: Interest | undefined): void {
    this.#interest = interest;
    this.#sendInterest();
    clearInterval(this.#timer);
    if (interest !== undefined) this.#timer = setInterval(() => this.#sendInterest(), REPEAT_INTEREST_MS);
  }

  #sendInterest(): void {
    const i = this.#interest;
    const notice = create(InterestNoticeSchema, {
      process: this.#process,
      everything: i !== undefined && i.all !== "nothing",
      anomaliesOnly: i?.all === "anomalies",
      sensorIds: [...(i?.sensors ?? [])],
      sensorTypes: [...(i?.types ?? [])],
      over: i === undefined,
    });
    this.#bus.publish(INTEREST, toBinary(InterestNoticeSchema, notice));
  }

  /** Calls back with what the watchers of all processes want to see, whenever it changes. */
  async onInterest(handle: (interest: Interest | undefined) => void): Promise<void> {
    const heard = new Map<string, { interest: Interest; timer: NodeJS.Timeout }>();
    const tell = () => handle(joined([...heard.values()].map((h) => h.interest)));
    const forget = (process: string) => {
      clearTimeout(heard.get(process)?.timer);
      heard.delete(process);
      tell();
    };
    const end = await this.#bus.subscribe(
      INTEREST,
      (bytes) => {
        const n = fromBinary(InterestNoticeSchema, bytes);
        if (n.over) return forget(n.process);
        clearTimeout(heard.get(n.process)?.timer);
        const timer = setTimeout(() => forget(n.process), FORGET_INTEREST_MS);
        const all = n.everything ? (n.anomaliesOnly ? "anomalies" : "everything") : "nothing";
        const interest: Interest = { all, sensors: n.sensorIds, types: n.sensorTypes };
        heard.set(n.process, { interest, timer });
        tell();
      },
      () => {},
    );
    this.#ends.push(() => {
      end();
      for (const { timer } of heard.values()) clearTimeout(timer);
    });
  }

  close(): void {
    clearInterval(this.#timer);
    for (const end of this.#ends.splice(0)) end();
  }
}

function joined(list: readonly Interest[]): Interest | undefined {
  if (list.length === 0) return undefined;
  return {
    all: widest(list.map((i) => i.all)),
    sensors: [...new Set(list.flatMap((i) => i.sensors))],
    types: [...new Set(list.flatMap((i) => i.types))],
  };
}

function widest(list: readonly Interest["all"][]): Interest["all"] {
  if (list.includes("everything")) return "everything";
  return list.includes("anomalies") ? "anomalies" : "nothing";
}
