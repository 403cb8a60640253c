/** Short messages about what was just done, or is about to be, read out by screen readers. */
import { problemOf } from "./problems.ts";
import { session } from "./session.svelte.ts";

interface Toast {
  readonly id: number;
  readonly text: string;
  readonly tone: "ok" | "bad";
  /** Takes back what it tells of. */
  readonly undo?: () => void;
  /** It was read, or has been there for long enough. */
  readonly close: () => void;
}

const SHOWN_MS = 6_000;
/** Of what can be taken back: to read it, to find the key, and to press it. */
const UNDO_MS = 8_000;
/** Of those that can be taken back, and of the others: what tells that one is done must not push out, and so do, the next. */
const MOST = 3;

class Toasts {
  list = $state.raw<readonly Toast[]>([]);
  #next = 0;
  /** Timers of those that are shown; none while somebody reads them. */
  readonly #timers = new Map<number, ReturnType<typeof setTimeout>>();
  #isRead = false;

  /** @param undo takes back what was done */
  say(text: string, tone: "ok" | "bad" = "ok", undo?: () => void): void {
    const id = this.#next++;
    const close = () => this.#drop(id);
    const taken = () => {
      close();
      undo?.();
    };
    this.#show({ id, text, tone, close, ...(undo === undefined ? {} : { undo: taken }) });
  }

  /** @param what failed, for example "Acknowledge" */
  fail(error: unknown, what: string): void {
    const { title, text } = problemOf(error, what);
    this.say(`${title}. ${text}`, "bad");
  }

  /**
   * For what cannot be taken back once it is done: it waits until nobody may want to any more.
   *
   * @returns whether it is to be done; at once where the message is dismissed or the page is left
   */
  meant(text: string): Promise<boolean> {
    return new Promise((resolve) => {
      const id = this.#next++;
      const end = (isMeant: boolean) => {
        document.removeEventListener("visibilitychange", leave);
        this.#drop(id);
        resolve(isMeant);
      };
      const leave = () => document.hidden && end(true);
      document.addEventListener("visibilitychange", leave);
      this.#show({ id, text, tone: "ok", undo: () => end(false), close: () => end(true) });
    });
  }

  /** The newest of what can be taken back. */
  undo(): void {
    this.list.findLast(({ undo }) => undo !== undefined)?.undo?.();
  }

  /** All of them were read. */
  closeAll(): void {
    for (const toast of this.list) toast.close();
  }

  /** Nothing goes while somebody reads it. */
  hold(): void {
    this.#isRead = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  release(): void {
    this.#isRead = false;
    for (const toast of this.list) if (!this.#timers.has(toast.id)) this.#time(toast);
  }

  #show(toast: Toast): void {
    const alike = this.list.filter(({ undo }) => (undo === undefined) === (toast.undo === undefined));
    // What there is no room for is done.
    for (const old of alike.slice(0, Math.max(0, alike.length + 1 - MOST))) old.close();
    this.list = [...this.list, toast];
    if (!this.#isRead) this.#time(toast);
  }

  #time({ id, close, undo }: Toast): void {
    this.#timers.set(id, setTimeout(close, undo === undefined ? SHOWN_MS : UNDO_MS));
  }

  #drop(id: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.list = this.list.filter((toast) => toast.id !== id);
  }
}

export const toasts = new Toasts();
// What waits is not done then, and says so; a label of one person is not taken back by the next.
session.afterEnd(() => toasts.closeAll());
