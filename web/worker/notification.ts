/** Notifications of alerts: shown, opened and acknowledged. What comes is made by `server/notify/push/payload.ts`. */
import { acknowledgeAll, countBadge } from "./calls.ts";
import { type Shown, scope } from "./scope.ts";
import type { Told } from "./told.ts";

const CONSOLE = "/ui/";
const ICON = "/ui/icon-192.png";
const OPEN = { action: "open", title: "Open" };
const ACKNOWLEDGE = { action: "acknowledge", title: "Acknowledge" };

/** A browser that is told something and shows nothing is taken the right to be told: what cannot be read is shown as that. */
const UNKNOWN: Told = {
  tag: "telltale",
  title: "Telltale",
  body: "Alerts have changed.",
  severity: "",
  page: "alerts",
  alerts: [],
  received: [],
};

export async function show(data: { json(): unknown } | null): Promise<void> {
  const told = read(data);
  const { title, body, tag, severity, alerts, received } = told;
  const actions = alerts.length + received.length > 0 ? [ACKNOWLEDGE, OPEN] : [OPEN];
  const isOver = severity === "resolved";
  // A repetition of what is shown makes no sound; news of a group does.
  const shown: Shown = { body, tag, icon: ICON, data: told, actions, renotify: !isOver, silent: isOver };
  await scope.registration.showNotification(title, shown);
  await countBadge();
}

function read(data: { json(): unknown } | null): Told {
  try {
    return { ...UNKNOWN, ...(data?.json() as Partial<Told> | undefined) };
  } catch {
    return UNKNOWN;
  }
}

export async function pressed(action: string, notification: Notification): Promise<void> {
  const told = notification.data as Told;
  notification.close();
  if (action !== ACKNOWLEDGE.action) return open(told.page);
  const problem = await acknowledgeAll(told);
  if (problem === undefined) return countBadge();
  // The alert is still nobody's: that must not go unseen.
  const shown: Shown = { body: `${problem} ${told.title}`, tag: told.tag, icon: ICON, data: told, actions: [OPEN] };
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
