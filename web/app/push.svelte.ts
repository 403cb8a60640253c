/** Whether this browser is notified of alerts while the console is closed. */
import type { PushSubscription as Kept } from "../../gen/web/telltale/v1/notification_pb.ts";
import { browserLabel } from "./browser-label.ts";
import { installed } from "./installed.svelte.ts";
import { notificationApi } from "./services/notification.ts";
import { session } from "./session.svelte.ts";

class Push {
  /** As the platform has it; undefined: this browser is not notified. */
  kept = $state.raw<Kept>();
  receivers = $state.raw<readonly string[]>([]);
  permission = $state<NotificationPermission>(globalThis.Notification?.permission ?? "default");
  busy = $state(false);
  /** What failed the last time. */
  failed = $state("");

  /** Why this browser cannot be notified, in a sentence; "" where it can. */
  get reason(): string {
    if (installed.problem !== undefined) return installed.problem;
    if (!session.mayOperate) return 'Your token lacks the scope "operate".';
    if (globalThis.Notification === undefined || globalThis.PushManager === undefined)
      return "This browser has no web push. On an iPhone or iPad, add the console to the home screen, and open it there.";
    if (this.permission === "denied")
      return "Notifications of this address are forbidden in this browser: allow them in its settings for the site.";
    return "";
  }

  /** Asks the platform, and renews what this browser has: it belongs to who is signed in. */
  async look(): Promise<void> {
    const registration = installed.registration;
    if (registration === undefined || this.reason !== "") return;
    const { publicKey, receivers } = await notificationApi.getPushSettings({});
    this.receivers = receivers;
    const found = await registration.pushManager.getSubscription();
    if (found === null) this.kept = undefined;
    else if (isOfKey(found, publicKey)) this.kept = await keep(found);
    // The platform has another key: what this one would be sent, its push service refuses.
    else await this.#subscribe(registration, publicKey, found);
  }

  async turnOn(): Promise<void> {
    await this.#try(async () => {
      this.permission = await Notification.requestPermission();
      if (this.permission !== "granted") throw new Error("You have not allowed notifications.");
      const registration = await navigator.serviceWorker.ready;
      const { publicKey } = await notificationApi.getPushSettings({});
      await this.#subscribe(registration, publicKey, await registration.pushManager.getSubscription());
    });
  }

  async turnOff(): Promise<void> {
    await this.#try(async () => {
      const registration = await navigator.serviceWorker.ready;
      const id = this.kept?.id;
      await (await registration.pushManager.getSubscription())?.unsubscribe();
      this.kept = undefined;
      if (id !== undefined) await notificationApi.unsubscribePush({ id });
    });
  }

  async #subscribe(registration: ServiceWorkerRegistration, publicKey: Uint8Array, former: PushSubscription | null) {
    if (former !== null && !isOfKey(former, publicKey)) await former.unsubscribe();
    const options = { userVisibleOnly: true, applicationServerKey: new Uint8Array(publicKey) };
    this.kept = await keep(await registration.pushManager.subscribe(options));
  }

  async #try(act: () => Promise<void>): Promise<void> {
    this.busy = true;
    this.failed = "";
    try {
      await act();
    } catch (error) {
      this.failed = saidOf(error as Error);
    }
    this.busy = false;
  }
}

/** Of the browser's own errors those of its push service say least. */
function saidOf({ name, message }: Error): string {
  if (name !== "AbortError") return message;
  return `The browser does not reach its push service (${message}). In a plant without the internet, ntfy and e-mail reach people.`;
}

function isOfKey({ options }: PushSubscription, key: Uint8Array): boolean {
  const own = new Uint8Array(options.applicationServerKey ?? new ArrayBuffer(0));
  return own.length === key.length && own.every((byte, at) => byte === key[at]);
}

async function keep(found: PushSubscription): Promise<Kept | undefined> {
  const [p256dh, auth] = (["p256dh", "auth"] as const).map((name) => new Uint8Array(found.getKey(name)!));
  const label = browserLabel(navigator.userAgent);
  const request = { endpoint: found.endpoint, p256dh: p256dh!, auth: auth!, label };
  return (await notificationApi.subscribePush(request)).subscription;
}

export const push = new Push();
