/** What templates are told of a message: the fields that Alertmanager's have. */
import { fingerprint } from "../channels/fingerprint.ts";
import type { Message, NotifiedAlert } from "../message.ts";
import { Labels, List, Struct, Time } from "./values.ts";

export function templateData(message: Message): Struct {
  const { receiver, status, groupLabels, commonLabels, commonAnnotations, externalUrl } = message;
  return new Struct("message", {
    ...{ Receiver: receiver, Status: status, Alerts: alertList(message.alerts, externalUrl) },
    ...{ GroupLabels: new Labels(groupLabels), CommonLabels: new Labels(commonLabels) },
    ...{ CommonAnnotations: new Labels(commonAnnotations), ExternalURL: externalUrl },
    ...{ RouteLabels: new Labels(message.routeLabels ?? {}), NotificationReason: message.why ?? "unknown" },
  });
}

/** Those of a state are chosen once: templates ask for them again and again. */
function alertList(alerts: readonly NotifiedAlert[], externalUrl: string): List {
  const all = alerts.map((alert) => alertData(alert, externalUrl));
  const of = (state: string) =>
    new List(
      "alerts",
      all.filter((_, at) => alerts[at]!.status === state),
    );
  const [firing, resolved] = [of("firing"), of("resolved")];
  return new List("alerts", all, { Firing: () => firing, Resolved: () => resolved });
}

function alertData(alert: NotifiedAlert, externalUrl: string): Struct {
  return new Struct("alert", {
    ...{ Status: alert.status, Labels: new Labels(alert.labels), Annotations: new Labels(alert.annotations) },
    StartsAt: Time.ofUs(alert.startsUs),
    EndsAt: alert.endsUs === undefined ? Time.zero : Time.ofUs(alert.endsUs),
    GeneratorURL: alert.generatorUrl ?? externalUrl,
    Fingerprint: fingerprint(alert.labels),
    // Ours.
    ActURL: alert.actUrl ?? "",
  });
}
