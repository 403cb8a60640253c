import type { Message, NotifiedAlert } from "../message.ts";
import { MAX_LABELS, MAX_NAME_CHARACTERS, MAX_TEXT_CHARACTERS } from "./limits.ts";
import { beginning, identity } from "./texts.ts";

type Texts = Readonly<Record<string, string>>;

/** The message with every text shortened to its limit, in characters, and at most so many alerts; 0: all of them. */
export function bounded(message: Message, maxAlerts: number, maxText = MAX_TEXT_CHARACTERS): Message {
  const kept = maxAlerts > 0 ? message.alerts.slice(0, maxAlerts) : message.alerts;
  return {
    ...message,
    key: identity(message.key, MAX_NAME_CHARACTERS),
    receiver: beginning(message.receiver, MAX_NAME_CHARACTERS),
    groupKey: identity(message.groupKey, MAX_TEXT_CHARACTERS),
    groupLabels: texts(message.groupLabels, maxText),
    commonLabels: texts(message.commonLabels, maxText),
    commonAnnotations: texts(message.commonAnnotations, maxText),
    alerts: kept.map((alert) => shortened(alert, maxText)),
    truncatedAlerts: message.truncatedAlerts + message.alerts.length - kept.length,
  };
}

function shortened(full: NotifiedAlert, maxText: number): NotifiedAlert {
  return { ...full, labels: texts(full.labels, maxText), annotations: texts(full.annotations, maxText) };
}

function texts(all: Texts, maxText: number): Texts {
  const names = Object.keys(all).sort().slice(0, MAX_LABELS);
  return Object.fromEntries(
    names.map((name) => [beginning(name, MAX_NAME_CHARACTERS), beginning(all[name]!, maxText)]),
  );
}
