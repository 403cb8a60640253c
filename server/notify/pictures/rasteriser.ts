/** SVG to PNG in a thread of its own, which is ended where it takes too long. */
import { Worker } from "node:worker_threads";
import { onAbort } from "../../lib/signals.ts";

/** A thread without work ends after so long: it keeps some 30 MB. */
const IDLE_MS = 60_000;

/** What the thread is given. */
export interface Drawing {
  readonly svg: string;
  /** Of the picture, in pixels. */
  readonly width: number;
}

const THREAD = new URL("./raster-thread.ts", import.meta.url);

export class Rasteriser {
  #thread: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;

  /** Starts the thread where there is none: a picture that is about to come waits less. */
  start(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => void this.close(), IDLE_MS).unref();
    this.#thread ??= this.#startThread();
  }

  /** One at a time. Rejects with the signal's reason, or where the thread fails; the next picture has a new thread then. */
  async draw(svg: string, width: number, signal: AbortSignal): Promise<Uint8Array> {
    signal.throwIfAborted();
    this.start();
    try {
      return await answerOf(this.#thread!, { svg, width }, signal);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    clearTimeout(this.#idle);
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.terminate();
  }

  #startThread(): Worker {
    const thread = new Worker(THREAD, { name: "pictures" });
    // Whoever waits for an answer hears of it. Where nobody does, the next picture starts a thread, and hears what is wrong with it.
    thread.on("error", () => {});
    thread.on("exit", () => {
      if (this.#thread === thread) this.#thread = undefined;
    });
    return thread;
  }
}

function answerOf(thread: Worker, drawing: Drawing, signal: AbortSignal): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const onExit = () => reject(new Error("the thread that draws pictures has ended"));
  thread.once("message", resolve).once("error", reject).once("exit", onExit);
  const leave = onAbort(signal, () => reject(signal.reason));
  thread.postMessage(drawing);
  return promise.finally(() => {
    leave();
    thread.off("message", resolve).off("error", reject).off("exit", onExit);
  });
}
