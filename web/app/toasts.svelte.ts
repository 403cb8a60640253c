/** Short messages about what was just done, read out by screen readers. */
import { problemOf } from "./problems.ts";

interface Toast {
  readonly id: number;
  readonly text: string;
  readonly tone: "ok" | "bad";
}

const SHOWN_MS = 6_000;

class Toasts {
  list = $state.raw<readonly Toast[]>([]);
  #next = 0;

  say(text: string, tone: "ok" | "bad" = "ok"): void {
    const id = this.#next++;
    this.list = [...this.list.slice(-2), { id, text, tone }];
    setTimeout(() => this.drop(id), SHOWN_MS);
  }

  /** @param what failed, for example "Acknowledge" */
  fail(error: unknown, what: string): void {
    const { title, text } = problemOf(error, what);
    this.say(`${title}. ${text}`, "bad");
  }

  drop(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id);
  }
}

export const toasts = new Toasts();
