/** How many alerts are open, for the navigation: counted once the page has asked for its own, and after each event, at most so many. */

import { whenIdle } from "./idle.ts";
import { live } from "./live.svelte.ts";
import { alertApi } from "./services/alert.ts";
import { session } from "./session.svelte.ts";

const MOST = 1_000;
/** A burst of events is one count. */
const SETTLE_MS = 1_000;

class OpenAlerts {
  text = $state("");
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Counts questions: the answer of the newest counts. */
  #asked = 0;

  async count(): Promise<void> {
    if (session.state !== "signed-in" || !session.mayRead) return;
    const turn = ++this.#asked;
    try {
      const { alerts, nextPageToken } = await alertApi.listAlerts({ resolved: false, limit: MOST });
      if (turn !== this.#asked) return;
      // At the icon of the installed console, where the browser has that. Without permission there is no number.
      navigator.setAppBadge?.(alerts.length).catch(() => {});
      this.text = alerts.length === 0 ? "" : `${alerts.length}${nextPageToken === "" ? "" : "+"}`;
    } catch {
      if (turn === this.#asked) this.text = ""; // the pages say what is wrong
    }
  }

  /** Answers with a function that ends it. */
  start(): () => void {
    // What the page itself shows comes first.
    const idle = whenIdle(() => void this.count());
    const stop = live.onEvent(() => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => void this.count(), SETTLE_MS);
    });
    return () => {
      idle();
      stop();
      clearTimeout(this.#timer);
      this.#asked++;
      this.text = "";
      navigator.clearAppBadge?.().catch(() => {});
    };
  }
}

export const openAlerts = new OpenAlerts();
