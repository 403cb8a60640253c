/**
 * What a person does to alerts of the inbox: for some seconds it can be taken back, and then it is done. Those that fail stay chosen. It goes on
 * when the inbox is left, and is there when somebody comes back to it.
 */
import { Code, ConnectError } from "@connectrpc/connect";
import type { Alert } from "../../gen/web/telltale/v1/alert_pb.ts";
import { type Failure, forEach } from "./bulk.ts";
import { plural } from "./format.ts";
import { alertApi } from "./services/alert.ts";
import { session } from "./session.svelte.ts";
import { isOpen } from "./severity.ts";
import { toasts } from "./toasts.svelte.ts";
import { boundHeaders } from "./transport.ts";

type Verb = "Acknowledge" | "Resolve";
type Bound = { readonly headers: Record<string, string> };
type Act = (alert: Alert, bound: Bound) => Promise<Alert | undefined>;

const NONE: ReadonlySet<bigint> = new Set();
/** Calls that go on without their page: Chromium lets 20 do so at once, and there may be others. */
const TAKEN_ALONG = 15;

class InboxActs {
  /** Of several that something is done to. */
  chosenIds = $state.raw(NONE);
  /** That something will be done to. */
  pendingIds = $state.raw(NONE);
  failures = $state.raw<readonly Failure<Alert>[]>([]);
  attempted = $state(0);
  /** The inbox, while it is shown. */
  #inbox: ((alert: Alert) => void) | undefined;
  /** What was asked for and is not done yet. */
  readonly #underWay = new Set<Promise<void>>();
  /** Of how many alerts that is. Where a page that goes cannot take all of them along, the browser asks before. */
  #alerts = 0;

  /** @param onchanged is called with each alert that was changed, until the function is called that this answers with */
  show(onchanged: (alert: Alert) => void): () => void {
    this.#inbox = onchanged;
    return () => {
      this.#inbox = undefined;
      this.chosenIds = NONE;
    };
  }

  choose({ id }: Alert): void {
    const next = new Set(this.chosenIds);
    if (!next.delete(id)) next.add(id);
    this.chosenIds = next;
  }

  acknowledge(alerts: readonly Alert[]): Promise<void> {
    const unseen = alerts.filter(({ acknowledgedAt }) => acknowledgedAt === undefined);
    const act: Act = async ({ id }, bound) => (await alertApi.acknowledgeAlert({ alertId: id }, bound)).alert;
    return this.#start("Acknowledge", unseen, act);
  }

  resolve(alerts: readonly Alert[], comment: string): Promise<void> {
    const act: Act = async ({ id }, bound) => (await alertApi.resolveAlert({ alertId: id, comment }, bound)).alert;
    return this.#start("Resolve", alerts.filter(isOpen), act);
  }

  /** Does at once what waits, and ends when nothing is under way any more. */
  async finish(): Promise<void> {
    toasts.closeAll();
    await Promise.allSettled(this.#underWay);
  }

  /** Nothing of it is for whoever comes next. */
  forget(): void {
    this.chosenIds = NONE;
    this.pendingIds = NONE;
    this.failures = [];
    this.attempted = 0;
  }

  async #start(verb: Verb, asked: readonly Alert[], act: Act): Promise<void> {
    const alerts = asked.filter(({ id }) => !this.pendingIds.has(id));
    if (alerts.length === 0 || !session.mayOperate) return;
    this.#count(alerts.length);
    const work = this.#do(verb, alerts, act);
    this.#underWay.add(work);
    try {
      await work;
    } finally {
      this.#underWay.delete(work);
      this.#count(-alerts.length);
    }
  }

  #count(more: number): void {
    this.#alerts += more;
    if (this.#alerts > TAKEN_ALONG) window.addEventListener("beforeunload", ask);
    else window.removeEventListener("beforeunload", ask);
  }

  async #do(verb: Verb, alerts: readonly Alert[], act: Act): Promise<void> {
    const what = alerts.length === 1 ? alerts[0]!.sensorId : plural(alerts.length, "alert");
    const ids = new Set(alerts.map(({ id }) => id));
    this.pendingIds = this.pendingIds.union(ids);
    this.chosenIds = this.chosenIds.difference(ids);
    // Whoever signs in meanwhile has not asked for it: it counts in the session that it was asked for in, or not at all.
    const by = session.id;
    const bound = { headers: boundHeaders() };
    const isOver = () => session.state !== "signed-in" || session.id !== by;
    const isMeant = await toasts.meant(`${verb}: ${what}, in a moment`);
    if (isMeant && isOver()) toasts.say(`${verb}: ${what} was not done, since the session had ended`, "bad");
    else if (isMeant) {
      const each = (alert: Alert) => {
        if (isOver()) throw new ConnectError("The session had ended", Code.Aborted);
        return act(alert, bound);
      };
      const failures = await this.#doNow(verb, alerts, each);
      if (!isOver()) this.#keep(alerts, failures);
    } else if (alerts.length > 1) this.chosenIds = this.chosenIds.union(ids);
    this.pendingIds = this.pendingIds.difference(ids);
  }

  async #doNow(verb: Verb, alerts: readonly Alert[], act: (alert: Alert) => Promise<Alert | undefined>) {
    const each = async (alert: Alert) => {
      const after = await act(alert);
      if (after !== undefined) this.#inbox?.(after);
    };
    // A page that is hidden may go without another word: what it can take along begins then.
    const hidden = new AbortController();
    const look = () => document.hidden && this.#alerts <= TAKEN_ALONG && hidden.abort();
    look();
    document.addEventListener("visibilitychange", look);
    const failures = await forEach(alerts, verb, each, hidden.signal);
    document.removeEventListener("visibilitychange", look);
    const failed = failures.length;
    const done = alerts.length - failed;
    if (done > 0) toasts.say(`${verb}d: ${alerts.length === 1 ? alerts[0]!.sensorId : plural(done, "alert")}`);
    if (this.#inbox === undefined && failed > 0) toasts.say(`${verb}: ${plural(failed, "alert")} failed`, "bad");
    return failures;
  }

  #keep(alerts: readonly Alert[], failures: readonly Failure<Alert>[]): void {
    // Those of an act beside this one stay until they are read.
    const others = this.failures.filter(({ of }) => !alerts.some(({ id }) => id === of.id));
    this.failures = [...others, ...failures];
    this.attempted = others.length + alerts.length;
    this.chosenIds = this.chosenIds.union(new Set(failures.map(({ of }) => of.id)));
  }
}

function ask(event: BeforeUnloadEvent): void {
  event.preventDefault();
}

export const inboxActs = new InboxActs();
session.beforeSignOut(() => inboxActs.finish());
session.afterEnd(() => inboxActs.forget());
