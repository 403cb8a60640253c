import type { Logger } from "pino";

export interface Listener {
  onMessage(message: Uint8Array): void;
  onGap(): void;
}

/** Who in this process listens to which channel. A listener that throws harms nobody but itself. */
export class Subscriptions {
  readonly counts = { received: 0, gaps: 0 };
  readonly #channels = new Map<string, Set<Listener>>();
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Whether it is the channel's first. */
  add(channel: string, listener: Listener): boolean {
    const listeners = this.#channels.get(channel);
    listeners?.add(listener);
    if (!listeners) this.#channels.set(channel, new Set([listener]));
    return !listeners;
  }

  /** Whether it was the channel's last. */
  remove(channel: string, listener: Listener): boolean {
    const listeners = this.#channels.get(channel);
    if (!listeners?.delete(listener) || listeners.size > 0) return false;
    this.#channels.delete(channel);
    return true;
  }

  count(channel: string): number {
    return this.#channels.get(channel)?.size ?? 0;
  }

  channels(): string[] {
    return [...this.#channels.keys()];
  }

  deliver(channel: string, message: Uint8Array): void {
    for (const listener of [...(this.#channels.get(channel) ?? [])]) {
      this.counts.received++;
      this.#call(channel, () => listener.onMessage(message));
    }
  }

  /** Notifies everybody on the channels that messages may have been lost. */
  gap(channels: readonly string[]): void {
    for (const channel of channels) {
      for (const listener of [...(this.#channels.get(channel) ?? [])]) {
        this.counts.gaps++;
        this.#call(channel, () => listener.onGap());
      }
    }
  }

  clear(): void {
    this.#channels.clear();
  }

  #call(channel: string, listen: () => void): void {
    try {
      listen();
    } catch (error) {
      this.#logger.error({ err: error, channel }, "a listener on the bus failed");
    }
  }
}
