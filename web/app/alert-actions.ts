/** What a person does to an alert: each answers with the alert as it is then, and says so; undefined where it failed, which it says too. */
import type { Alert } from "../../gen/web/telltale/v1/alert_pb.ts";
import type { LabelAlertResponse } from "../../gen/web/telltale/v1/detector_pb.ts";
import { detectorApi } from "./services/detector.ts";
import { toasts } from "./toasts.svelte.ts";

export interface Label {
  /** Undefined: the label is withdrawn. */
  readonly correct: boolean | undefined;
  readonly comment: string;
}

/** It can be taken back: the label of before is given again, or none. */
export function label(alert: Alert, { correct, comment }: Label): Promise<LabelAlertResponse | undefined> {
  const said = correct === undefined ? "Label withdrawn" : correct ? "Labelled right" : "Labelled wrong";
  const request = { alertId: alert.id, correct: correct ?? false, comment, withdraw: correct === undefined };
  const before = { correct: alert.labelCorrect, comment: alert.labelComment };
  const after = { ...alert, labelCorrect: correct, labelComment: comment } as Alert;
  const act = () => detectorApi.labelAlert(request);
  return done(`${said}: ${alert.sensorId}`, act, () => void label(after, before));
}

async function done<T>(said: string, act: () => Promise<T | undefined>, undo?: () => void): Promise<T | undefined> {
  try {
    const answer = await act();
    toasts.say(said, "ok", undo);
    return answer;
  } catch (error) {
    toasts.fail(error, said.split(":")[0]!);
    return undefined;
  }
}
