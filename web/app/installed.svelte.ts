/** The console's service worker: registered by the page, which offers the next version and never takes it by itself. */

const SCRIPT = "/ui/sw.js";
const CHECK_MS = 60 * 60_000;
/** The worker loads every file of the console, through the connections that a page needs for what it shows first. */
const BEGIN_MS = 3_000;

interface TrustedScripts {
  createPolicy(
    name: string,
    rules: { createScriptURL(text: string): string },
  ): { createScriptURL(text: string): string };
}

class Installed {
  /** Whether a version is there that this page is not of. */
  newer = $state(false);
  /** Why there is no worker; undefined: there is one, or it is not known yet. */
  problem = $state<string>();
  #registration = $state.raw<ServiceWorkerRegistration>();

  /** Undefined until the worker is there, and where there is none. */
  get registration(): ServiceWorkerRegistration | undefined {
    return this.#registration;
  }

  /** Answers with a function that ends it. */
  start(): () => void {
    let begin: ReturnType<typeof setTimeout> | undefined;
    if (!window.isSecureContext)
      this.problem = "Browsers allow it only by https, and on this machine itself. Open the console by https.";
    else if (navigator.serviceWorker === undefined)
      this.problem = "This browser, or its private window, has no service workers.";
    // The development server has no worker.
    else if (import.meta.env.PROD) begin = setTimeout(() => void this.#register(), BEGIN_MS);
    const timer = setInterval(() => this.check(), CHECK_MS);
    return () => {
      clearTimeout(begin);
      clearInterval(timer);
    };
  }

  /** Asks the platform for a newer version, as after it was gone: it may have been upgraded. */
  check(): void {
    // Without the platform there is none; it is asked again.
    void this.#registration?.update().catch(() => {});
  }

  /** Loads the newer version, in this page. */
  take(): void {
    navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
    this.#registration?.waiting?.postMessage({ kind: "take over" });
  }

  async #register(): Promise<void> {
    const scripts = (globalThis as { trustedTypes?: TrustedScripts }).trustedTypes;
    const policy = scripts?.createPolicy("telltale-worker", { createScriptURL: () => SCRIPT });
    try {
      const found = await navigator.serviceWorker.register(policy?.createScriptURL(SCRIPT) ?? SCRIPT);
      await this.#look(found.waiting);
      const follow = () => found.installing?.addEventListener("statechange", () => void this.#look(found.waiting));
      follow();
      found.addEventListener("updatefound", follow);
      this.#registration = await navigator.serviceWorker.ready;
    } catch (error) {
      this.problem = `The browser has not taken the service worker: ${(error as Error).message}`;
    }
  }

  /** A page that was loaded from the platform may be of the version already that the worker still waits with. */
  async #look(waiting: ServiceWorker | null): Promise<void> {
    if (waiting === null) return;
    const { port1, port2 } = new MessageChannel();
    const answer = new Promise<boolean>((resolve) => {
      port1.onmessage = ({ data }) => resolve(data);
    });
    waiting.postMessage({ kind: "has", path: new URL(import.meta.url).pathname }, [port2]);
    if (await answer) waiting.postMessage({ kind: "take over" });
    else this.newer = true;
  }
}

export const installed = new Installed();
