/**
 * Alert events as they are committed, and whether they come. A browser opens few connections to one origin, so all its tabs share one
 * stream: the tab that holds the lock reads it and tells the others. Where there are no locks (a page without TLS on another machine), each
 * tab reads for itself.
 */
import { Code, ConnectError } from "@connectrpc/connect";
import type { AlertEvent } from "../../gen/web/telltale/v1/watch_pb.ts";
import { backoffMs } from "./backoff.ts";
import { whenIdle } from "./idle.ts";

export type LinkState = "connecting" | "live" | "lost";
/** "missed": what happened meanwhile is not known event by event; load anew. */
export type LiveEvent = AlertEvent | "missed";

/** The platform says something every 15 s; without a word for this long the stream is dead. */
const SILENCE_MS = 40_000;
const NAME = "telltale-live";
/** What a page shows first needs no events: this comes after it. */
const loadWatch = () => import("./services/watch.ts");

type Said =
  | { readonly kind: "state"; readonly state: LinkState; readonly sinceMs: number; readonly token: string }
  | { readonly kind: "event"; readonly event: Uint8Array; readonly token: string }
  | { readonly kind: "missed" }
  | { readonly kind: "who" };

class Live {
  state = $state<LinkState>("connecting");
  /** Since when it is in this state. */
  sinceMs = $state(Date.now());
  #token = "";
  #leads = false;
  /** Whether events come that nobody has missed. */
  #follows = false;
  readonly #listeners = new Set<(event: LiveEvent) => void>();
  #channel: BroadcastChannel | undefined;

  onEvent(listener: (event: LiveEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Answers with a function that ends it. */
  start(): () => void {
    const ending = new AbortController();
    const { signal } = ending;
    this.#follows = false;
    const idle = whenIdle(() => this.#begin(signal));
    return () => {
      idle();
      ending.abort();
      this.#leads = false;
      this.#channel?.close();
      this.#channel = undefined;
    };
  }

  #begin(signal: AbortSignal): void {
    if (navigator.locks === undefined) {
      void this.#read(signal);
      return;
    }
    this.#channel = new BroadcastChannel(NAME);
    this.#channel.onmessage = ({ data }: MessageEvent<Said>) => void this.#hear(data);
    this.#say({ kind: "who" });
    const lead = navigator.locks.request(NAME, { signal }, () => {
      this.#leads = true;
      return this.#read(signal);
    });
    // Waiting for the lock ends by the signal where the page ends it.
    lead.catch(() => {});
  }

  async #read(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        await this.#watch(signal, () => {
          failures = 0;
        });
      } catch (error) {
        if (signal.aborted) return;
        // Who has to sign in again does; the page starts this anew.
        if (ConnectError.from(error).code === Code.Unauthenticated) return this.#become("lost");
      }
      this.#become("lost");
      await pause(backoffMs(failures, Math.random()), signal);
    }
  }

  async #watch(signal: AbortSignal, onWord: () => void): Promise<void> {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), SILENCE_MS);
    try {
      const { watchApi } = await loadWatch();
      const stream = watchApi.watchAlerts(
        { resumeToken: this.#token },
        { signal: AbortSignal.any([signal, silence.signal]) },
      );
      for await (const { event, resumeToken, missed } of stream) {
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENCE_MS);
        onWord();
        if (resumeToken !== "") this.#token = resumeToken;
        this.#become("live");
        if (missed) await this.#tell("missed");
        if (event !== undefined) await this.#tell(event);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #become(state: LinkState): void {
    if (state !== this.state) {
      this.state = state;
      this.sinceMs = Date.now();
    }
    this.#follow();
    this.#say({ kind: "state", state, sinceMs: this.sinceMs, token: this.#token });
  }

  /** Before the first event can come the page has been loaded already: what happened in between is not known. */
  #follow(): void {
    if (this.#follows || this.state !== "live") return;
    this.#follows = true;
    for (const listener of this.#listeners) listener("missed");
  }

  async #tell(event: LiveEvent): Promise<void> {
    if (event === "missed") this.#say({ kind: "missed" });
    else this.#say({ kind: "event", event: (await loadWatch()).bytesOf(event), token: this.#token });
    for (const listener of this.#listeners) listener(event);
  }

  async #hear(said: Said): Promise<void> {
    if (said.kind === "who") {
      if (this.#leads) this.#say({ kind: "state", state: this.state, sinceMs: this.sinceMs, token: this.#token });
      return;
    }
    if (this.#leads) return;
    if (said.kind === "state") {
      this.state = said.state;
      this.sinceMs = said.sinceMs;
      this.#follow();
    }
    if (said.kind !== "missed") this.#token = said.token;
    if (said.kind === "state") return;
    const event = said.kind === "event" ? await this.#eventOf(said.event) : "missed";
    for (const listener of this.#listeners) listener(event);
  }

  /** What cannot be read, since the code for it does not come, has happened all the same. */
  async #eventOf(bytes: Uint8Array): Promise<LiveEvent> {
    try {
      return (await loadWatch()).eventOf(bytes);
    } catch {
      return "missed";
    }
  }

  #say(said: Said): void {
    this.#channel?.postMessage(said);
  }
}

/** Ends early where the network comes back. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      window.removeEventListener("online", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    window.addEventListener("online", done);
    signal.addEventListener("abort", done);
  });
}

export const live = new Live();
