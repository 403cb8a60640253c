/** Signals of one call: its caller's going, the end of the server, its deadline. Each reason is a ConnectError. */
import { Code, ConnectError } from "@connectrpc/connect";
import { onAbort } from "../lib/signals.ts";
import type { NodeServerResponse } from "./node-http.ts";

export interface CallSignal {
  readonly signal: AbortSignal;
  /** The call is over: nothing of it is left on any signal that outlives it. */
  readonly leave: () => void;
}

/** Aborts when nobody waits for the response any more, or with `cut`. */
export function callerSignal(response: NodeServerResponse, cut: AbortSignal): CallSignal {
  const call = new AbortController();
  const onClose = () => call.abort(callerGone());
  response.once("close", onClose);
  const offCut = onAbort(cut, () => call.abort(cut.reason));
  return {
    signal: call.signal,
    leave: () => {
      // Every response closes once it is sent: an error with a stack for nobody would be a twentieth of a small call.
      response.off("close", onClose);
      offCut();
    },
  };
}

/** @param timeoutMs undefined: without a deadline */
export function callSignal(caller: AbortSignal, timeoutMs: number | undefined): CallSignal {
  const call = new AbortController();
  const offCaller = onAbort(caller, () => {
    const { reason } = caller;
    call.abort(reason instanceof ConnectError ? reason : callerGone());
  });
  const late = () => call.abort(new ConnectError("the operation timed out", Code.DeadlineExceeded));
  const timer = timeoutMs === undefined ? undefined : setTimeout(late, timeoutMs);
  const leave = () => {
    clearTimeout(timer);
    offCaller();
  };
  return { signal: call.signal, leave };
}

/** What a call ends by whose caller waits for it no more. */
export function callerGone(): ConnectError {
  return new ConnectError("The caller is gone", Code.Canceled);
}
