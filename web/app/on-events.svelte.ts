/** Loads anew after alert events: a burst of them is one. */
import { live } from "./live.svelte.ts";

/** For as long as the component is there. */
export function onEvents(reload: () => void, settleMs = 2_000): void {
  $effect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = live.onEvent(() => {
      timer ??= setTimeout(() => {
        timer = undefined;
        reload();
      }, settleMs);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  });
}
