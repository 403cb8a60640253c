/** Runs `then` once, as soon as the signal aborts; at once where it has. The function takes it off the signal again. */
export function onAbort(signal: AbortSignal, then: () => void): () => void {
  if (signal.aborted) {
    then();
    return () => {};
  }
  signal.addEventListener("abort", then, { once: true });
  return () => signal.removeEventListener("abort", then);
}

/** The promise's result, or the signal's reason as soon as it aborts. */
export function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = onAbort(signal, () => reject(signal.reason));
    promise.then(resolve, reject).finally(leave);
  });
}

/** For a promise of which others hear: its failure must not end the process too. Only what is no Error is thrown on. */
export function ignoreRejection(error: unknown): void {
  if (!(error instanceof Error)) throw error;
}

/** Resolves after so many milliseconds; rejects with the signal's reason as soon as it aborts. */
export function delay(milliseconds: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  return orAbort(promise, signal).finally(() => clearTimeout(timer));
}

/**
 * Resolves with the work, or after so many milliseconds: it goes on then, and whoever does it tells of its failure.
 *
 * @returns whether the work has ended
 */
export async function within(milliseconds: number, work: Promise<void>, signal: AbortSignal): Promise<boolean> {
  const over = new AbortController();
  const ended = orAbort(work, signal).then(() => true);
  const late = delay(milliseconds, over.signal).then(() => false);
  try {
    return await Promise.race([ended, late]);
  } finally {
    over.abort(new Error("the work ended before"));
  }
}

/** Several may wait for the next change of something. */
export class Changes {
  #next: PromiseWithResolvers<void> | undefined;

  /** Resolves with the next change. */
  get next(): Promise<void> {
    this.#next ??= Promise.withResolvers();
    return this.#next.promise;
  }

  /** Wakes all that wait. */
  tell(): void {
    this.#next?.resolve();
    this.#next = undefined;
  }
}

/** A signal of two, and the function that takes it off both. */
interface EitherSignal {
  readonly signal: AbortSignal;
  /** Nothing is left on either of the two; may be called again. */
  readonly leave: () => void;
}

/**
 * Aborts with whichever of the two aborts first, and with its reason. As AbortSignal.any, but nothing of a call stays on a signal
 * that outlives it: call `leave` when the call is over.
 */
export function either(call: AbortSignal, other: AbortSignal): EitherSignal {
  const controller = new AbortController();
  const onCall = () => end(call);
  const onOther = () => end(other);
  const leave = () => {
    call.removeEventListener("abort", onCall);
    other.removeEventListener("abort", onOther);
  };
  const end = ({ reason }: AbortSignal) => {
    leave();
    controller.abort(reason);
  };
  // A call that is given up before its first answer leaves a generator whose `finally` never runs: this is its end too.
  call.addEventListener("abort", onCall);
  other.addEventListener("abort", onOther);
  if (call.aborted) end(call);
  else if (other.aborted) end(other);
  return { signal: controller.signal, leave };
}

/** The messages; `ended` runs when they are at their end, however it comes. */
export async function* until<T>(messages: AsyncIterable<T>, ended: () => void): AsyncIterable<T> {
  try {
    yield* messages;
  } finally {
    ended();
  }
}
