/** Calls of the services by the session of the browser, as its pages make them. */
import type { PushPayload } from "../../formats/push-payload.ts";
import { scope } from "./scope.ts";

/** Browsers show at most two digits. */
const COUNTED = 100;

/** @returns why not all are acknowledged, in a sentence */
export async function acknowledgeAll({ alerts, received }: PushPayload): Promise<string | undefined> {
  const calls = [
    ...alerts.map((alertId) => call("AlertService/AcknowledgeAlert", { alertId })),
    ...received.map((alertId) => call("NotificationService/AcknowledgeReceivedAlert", { alertId })),
  ];
  const answers = await Promise.all(calls.map((each) => each.catch(() => undefined)));
  if (answers.some((answer) => answer === undefined)) return "The platform does not answer.";
  const refused = answers.find((answer) => !answer!.ok);
  if (refused === undefined) return undefined;
  if (refused.status === 401) return "Sign in again.";
  const said = (await refused.json().catch(() => ({}))) as { message?: string };
  return said.message === undefined ? `The platform answered ${refused.status}.` : `${said.message}.`;
}

/** How many alerts are open, at the icon of the installed console; where nobody is signed in the number stays. */
export async function countBadge(): Promise<void> {
  if (scope.navigator.setAppBadge === undefined) return;
  try {
    const answer = await call("AlertService/ListAlerts", { resolved: false, limit: COUNTED });
    if (!answer.ok) return;
    const { alerts = [] } = (await answer.json()) as { alerts?: readonly unknown[] };
    await scope.navigator.setAppBadge(alerts.length);
  } catch {
    // The number is a convenience; the notification is there.
  }
}

function call(method: string, request: object): Promise<Response> {
  return fetch(`/telltale.v1.${method}`, {
    method: "POST",
    headers: { "content-type": "application/json", "connect-protocol-version": "1" },
    body: JSON.stringify(request),
  });
}
