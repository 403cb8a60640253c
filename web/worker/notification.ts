/** Notifications of alerts: shown, opened and acknowledged. What comes is made by `server/notify/push/payload.ts`. */
import type { PushPayload } from "../../formats/push-payload.ts";
import { acknowledgeAll, countBadge } from "./calls.ts";
import { type Shown, scope } from "./scope.ts";

const CONSOLE = "/ui/";
const ICON = "/ui/icon-192.png";
const OPEN = { action: "open", title: "Open" };
/** In the place of Open, which to press the notification does too: most browsers show two buttons. */
const WHAT_TO_DO = { action: "what to do", title: "What to do" };
const ACKNOWLEDGE = { action: "acknowledge", title: "Acknowledge" };

/** A browser that is told something and shows nothing is taken the right to be told: what cannot be read is shown as that. */
const UNKNOWN: PushPayload = {
  id: "",
  tag: "telltale",
  title: "Telltale",
  body: "Alerts have changed.",
  severity: "",
  page: "alerts",
  alerts: [],
  received: [],
};

export async function show(data: { json(): unknown } | null): Promise<void> {
  const payload = read(data);
  const { id, title, body, tag, severity, runbook, alerts, received } = payload;
  const more = runbook === undefined ? OPEN : WHAT_TO_DO;
  const actions = alerts.length + received.length > 0 ? [ACKNOWLEDGE, more] : [more];
  const before = await scope.registration.getNotifications({ tag });
  const isRepeated = before.some(({ data }) => (data as PushPayload).id === id);
  // A repetition of what is shown makes no sound; news of a group does.
  const isSilent = isRepeated || severity === "resolved";
  const shown: Shown = { body, tag, icon: ICON, data: payload, actions, renotify: !isSilent, silent: isSilent };
  await scope.registration.showNotification(title, shown);
  await countBadge();
}

function read(data: { json(): unknown } | null): PushPayload {
  try {
    return { ...UNKNOWN, ...(data?.json() as Partial<PushPayload> | undefined) };
  } catch {
    return UNKNOWN;
  }
}

export async function pressed(action: string, notification: Notification): Promise<void> {
  const payload = notification.data as PushPayload;
  notification.close();
  if (action === WHAT_TO_DO.action) return void (await scope.clients.openWindow(payload.runbook!));
  if (action !== ACKNOWLEDGE.action) return open(payload.page);
  const problem = await acknowledgeAll(payload);
  if (problem === undefined) return countBadge();
  // The alert is still nobody's: that must not go unseen.
  const shown: Shown = {
    body: `${problem} ${payload.title}`,
    tag: payload.tag,
    icon: ICON,
    data: payload,
    actions: [OPEN],
  };
  await scope.registration.showNotification("Not acknowledged", { ...shown, renotify: true });
}

/** In a page that is open already, where there is one. */
async function open(page: string): Promise<void> {
  const url = new URL(CONSOLE + page, location.origin).href;
  const pages = await scope.clients.matchAll({ type: "window", includeUncontrolled: true });
  const found = pages.find((each) => new URL(each.url).pathname.startsWith(CONSOLE));
  if (found === undefined) return void (await scope.clients.openWindow(url));
  const focused = await found.focus();
  // A page that another version of the worker serves does not let itself be led.
  if (focused.url !== url) await focused.navigate(url).catch(() => scope.clients.openWindow(url));
}
