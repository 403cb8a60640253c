/** What a person does to alerts of the inbox: for some seconds it can be taken back, and then it is done. Those that fail stay chosen. */
import type { Alert } from "../../gen/web/telltale/v1/alert_pb.ts";
import { type Failure, forEach } from "./bulk.ts";
import { plural } from "./format.ts";
import { alertApi } from "./services/alert.ts";
import { session } from "./session.svelte.ts";
import { isOpen } from "./severity.ts";
import { toasts } from "./toasts.svelte.ts";

/** What was asked for and is not done yet. */
const underWay = new Set<Promise<void>>();
session.beforeSignOut(async () => {
  toasts.closeAll();
  await Promise.allSettled(underWay);
});

type Verb = "Acknowledge" | "Resolve";
type Act = (alert: Alert) => Promise<Alert | undefined>;

export class InboxActs {
  /** Of several that something is done to. */
  chosenIds = $state.raw<ReadonlySet<bigint>>(new Set());
  /** That something will be done to. */
  pendingIds = $state.raw<ReadonlySet<bigint>>(new Set());
  failures = $state.raw<readonly Failure<Alert>[]>([]);
  attempted = $state(0);
  readonly #onchanged: (alert: Alert) => void;
  readonly #life: AbortSignal;

  /** @param onchanged is called for as long as the page is there */
  constructor(onchanged: (alert: Alert) => void, life: AbortSignal) {
    this.#onchanged = onchanged;
    this.#life = life;
  }

  choose({ id }: Alert): void {
    const next = new Set(this.chosenIds);
    if (!next.delete(id)) next.add(id);
    this.chosenIds = next;
  }

  acknowledge(alerts: readonly Alert[]): Promise<void> {
    const unseen = alerts.filter(({ acknowledgedAt }) => acknowledgedAt === undefined);
    return this.#start(
      "Acknowledge",
      unseen,
      async ({ id }) => (await alertApi.acknowledgeAlert({ alertId: id })).alert,
    );
  }

  resolve(alerts: readonly Alert[], comment: string): Promise<void> {
    const act: Act = async ({ id }) => (await alertApi.resolveAlert({ alertId: id, comment })).alert;
    return this.#start("Resolve", alerts.filter(isOpen), act);
  }

  async #start(verb: Verb, alerts: readonly Alert[], act: Act): Promise<void> {
    const work = this.#do(verb, alerts, act);
    underWay.add(work);
    try {
      await work;
    } finally {
      underWay.delete(work);
    }
  }

  async #do(verb: Verb, asked: readonly Alert[], act: Act): Promise<void> {
    const alerts = asked.filter(({ id }) => !this.pendingIds.has(id));
    const [first] = alerts;
    if (first === undefined || !session.mayOperate) return;
    const what = alerts.length === 1 ? first.sensorId : plural(alerts.length, "alert");
    const ids = new Set(alerts.map(({ id }) => id));
    this.pendingIds = this.pendingIds.union(ids);
    this.chosenIds = this.chosenIds.difference(ids);
    const by = session.name;
    const isMeant = await toasts.meant(`${verb}: ${what}, in a moment`);
    // Whoever has signed in meanwhile has not asked for it.
    const isSame = session.state === "signed-in" && session.name === by;
    if (isMeant && !isSame) toasts.say(`${verb}: ${what} was not done, since the session had ended`, "bad");
    else if (isMeant) await this.#doNow(verb, alerts, act);
    else this.chosenIds = alerts.length > 1 ? this.chosenIds.union(ids) : this.chosenIds;
    this.pendingIds = this.pendingIds.difference(ids);
  }

  async #doNow(verb: string, alerts: readonly Alert[], act: Act): Promise<void> {
    const each: Act = async (alert) => {
      const after = await act(alert);
      if (after !== undefined && !this.#life.aborted) this.#onchanged(after);
      return after;
    };
    // A page that goes has no later.
    const failures = await forEach(alerts, verb, each, document.hidden ? alerts.length : undefined);
    // Those of an act beside this one stay until they are read.
    const others = this.failures.filter(({ of }) => !alerts.some(({ id }) => id === of.id));
    this.failures = [...others, ...failures];
    this.attempted = others.length + alerts.length;
    const failed = failures.length;
    const done = alerts.length - failed;
    if (done > 0) toasts.say(`${verb}d: ${alerts.length === 1 ? alerts[0]!.sensorId : plural(done, "alert")}`);
    if (this.#life.aborted && failed > 0) toasts.say(`${verb}: ${plural(failed, "alert")} failed`, "bad");
    this.chosenIds = this.chosenIds.union(new Set(failures.map(({ of }) => of.id)));
  }
}
