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
  });
}

function alertList(alerts: readonly NotifiedAlert[], externalUrl: string): List {
  const those = (wanted: string) => () =>
    alertList(
      alerts.filter(({ status }) => status === wanted),
      externalUrl,
    );
  return new List(
    "alerts",
    alerts.map((alert) => alertData(alert, externalUrl)),
    { Firing: those("firing"), Resolved: those("resolved") },
  );
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
