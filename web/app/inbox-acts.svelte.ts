/**
 * What a person does to alerts: for some seconds it can be taken back, and then it is done. Those of the inbox that fail stay chosen. It goes on
 * when the page is left, and is there when somebody comes back to it.
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
/** Answers with the alert as it is after; undefined where there was nothing to do any more. */
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
  /** Whether the inbox is shown, which names those that failed. */
  #isListed = false;
  /** Pages that show alerts. */
  readonly #pages = new Set<(alert: Alert) => void>();
  /** What was written for those that were not resolved after all, by their ids: it is there when somebody asks again. */
  readonly #comments = new Map<bigint, string>();
  /** What was asked for and is not done yet. */
  readonly #underWay = new Set<Promise<void>>();
  /** Of how many alerts that is. Where a page that goes cannot take all of them along, the browser asks before. */
  #alerts = 0;

  /** As `follow`, for the inbox. */
  show(onchanged: (alert: Alert) => void): () => void {
    this.#isListed = true;
    const leave = this.follow(onchanged);
    return () => {
      leave();
      this.#isListed = false;
      this.chosenIds = NONE;
    };
  }

  /** @param onchanged is called with each alert that was changed, until the function is called that this answers with */
  follow(onchanged: (alert: Alert) => void): () => void {
    this.#pages.add(onchanged);
    return () => this.#pages.delete(onchanged);
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

  async resolve(alerts: readonly Alert[], comment: string): Promise<void> {
    const { id: by, name } = session;
    const open = alerts.filter(isOpen);
    const ended = open.length === 0 ? [...alerts] : [];
    const doneIds = new Set<bigint>();
    const act: Act = async (alert, bound) => {
      const { alert: after } = await alertApi.resolveAlert({ alertId: alert.id, comment }, bound);
      if (after?.resolvedBy === name) {
        doneIds.add(alert.id);
        return after;
      }
      // Between the answer and the question it went back to normal, or somebody else was quicker: what was written is not stored.
      ended.push(alert);
      if (after !== undefined) this.#tell(after);
      return undefined;
    };
    await this.#start("Resolve", open, act);
    if (session.id !== by) return;
    for (const { id } of alerts) {
      if (comment === "" || doneIds.has(id)) this.#comments.delete(id);
      else this.#comments.set(id, comment);
    }
    if (ended.length > 0) toasts.say(endedText(ended, comment), "bad");
  }

  /** What was written for one of them when it was to be resolved, and was not; "" where there is nothing. */
  commentFor(alerts: readonly Alert[]): string {
    return alerts.map(({ id }) => this.#comments.get(id)).find((comment) => comment !== undefined) ?? "";
  }

  /**
   * One call that cannot be taken back once it is made. A failure is said.
   *
   * @param what is meant, for example "Acknowledge the incident"
   * @param call answers with what was done, for example "Acknowledged: 3 alerts"
   * @returns whether it was done
   */
  async once(what: string, call: (bound: Bound) => Promise<string>): Promise<boolean> {
    if (!session.mayOperate) return false;
    let isDone = false;
    await this.#underWayWith(1, async () => {
      const asked = this.#asked(what);
      if (!(await asked.isMeant())) return;
      try {
        toasts.say(await call(asked.bound));
        isDone = true;
      } catch (error) {
        if (!asked.isOver()) toasts.fail(error, what);
      }
    });
    return isDone;
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
    this.#comments.clear();
    this.failures = [];
    this.attempted = 0;
  }

  async #start(verb: Verb, asked: readonly Alert[], act: Act): Promise<void> {
    const alerts = asked.filter(({ id }) => !this.pendingIds.has(id));
    if (alerts.length === 0 || !session.mayOperate) return;
    await this.#underWayWith(alerts.length, () => this.#do(verb, alerts, act));
  }

  async #underWayWith(calls: number, act: () => Promise<void>): Promise<void> {
    this.#count(calls);
    const work = act();
    this.#underWay.add(work);
    try {
      await work;
    } finally {
      this.#underWay.delete(work);
      this.#count(-calls);
    }
  }

  /** What is asked for now counts in the session that it is asked for in, or not at all: whoever signs in meanwhile has not asked for it. */
  #asked(what: string) {
    const by = session.id;
    const isOver = () => session.state !== "signed-in" || session.id !== by;
    /** Whether it is to be done, once nobody may want to take it back any more. */
    const isMeant = async () => {
      if (!(await toasts.meant(`${what}, in a moment`))) return false;
      if (isOver()) toasts.say(`${what} was not done, since the session had ended`, "bad");
      return !isOver();
    };
    return { bound: { headers: boundHeaders() }, isOver, isMeant };
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
    const { bound, isOver, isMeant } = this.#asked(`${verb}: ${what}`);
    if (await isMeant()) {
      const each = (alert: Alert) => {
        if (isOver()) throw new ConnectError("The session had ended", Code.Aborted);
        return act(alert, bound);
      };
      const failures = await this.#doNow(verb, alerts, each);
      if (!isOver() && this.#isListed) this.#keep(alerts, failures);
    } else if (alerts.length > 1 && !isOver()) this.chosenIds = this.chosenIds.union(ids);
    this.pendingIds = this.pendingIds.difference(ids);
  }

  async #doNow(verb: Verb, alerts: readonly Alert[], act: (alert: Alert) => Promise<Alert | undefined>) {
    let done = 0;
    const each = async (alert: Alert) => {
      const after = await act(alert);
      if (after === undefined) return;
      done++;
      this.#tell(after);
    };
    // A page that is hidden may go without another word: what it can take along begins then.
    const hidden = new AbortController();
    const look = () => document.hidden && this.#alerts <= TAKEN_ALONG && hidden.abort();
    look();
    document.addEventListener("visibilitychange", look);
    const failures = await forEach(alerts, verb, each, hidden.signal);
    document.removeEventListener("visibilitychange", look);
    const failed = failures.length;
    if (done > 0) toasts.say(`${verb}d: ${alerts.length === 1 ? alerts[0]!.sensorId : plural(done, "alert")}`);
    if (!this.#isListed && failed > 0)
      toasts.say(failed === 1 ? sentenceOf(failures[0]!) : `${verb}: ${plural(failed, "alert")} failed`, "bad");
    return failures;
  }

  #tell(after: Alert): void {
    for (const onchanged of this.#pages) onchanged(after);
  }

  /** For the inbox: those that failed are named, and can be tried again. */
  #keep(alerts: readonly Alert[], failures: readonly Failure<Alert>[]): void {
    // Those of an act beside this one stay until they are read.
    const others = this.failures.filter(({ of }) => !alerts.some(({ id }) => id === of.id));
    this.failures = [...others, ...failures];
    this.attempted = others.length + alerts.length;
    this.chosenIds = this.chosenIds.union(new Set(failures.map(({ of }) => of.id)));
  }
}

function sentenceOf({ of, problem }: Failure<Alert>): string {
  return `${of.sensorId}: ${problem.title}. ${problem.text}`;
}

function endedText(alerts: readonly Alert[], comment: string): string {
  const it = alerts.length === 1 ? `${alerts[0]!.sensorId}: it` : plural(alerts.length, "alert");
  const written = comment === "" ? "" : ". What you wrote is kept for its label";
  return `${it} had already ended${written}`;
}

function ask(event: BeforeUnloadEvent): void {
  event.preventDefault();
}

export const inboxActs = new InboxActs();
session.beforeSignOut(() => inboxActs.finish());
session.afterEnd(() => inboxActs.forget());
