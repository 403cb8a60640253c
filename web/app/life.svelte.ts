/** Whether a page or a dialog is still there: what was asked for before it was left changes nothing after. */
import { onDestroy } from "svelte";

/** Called while a component is made. Aborts when the component goes. */
export function lifeSignal(): AbortSignal {
  const ending = new AbortController();
  onDestroy(() => ending.abort());
  return ending.signal;
}
