/** What a person does to an alert: each answers with the alert as it is then, and says so; undefined where it failed, which it says too. */
import type { Alert } from "../../gen/web/telltale/v1/alert_pb.ts";
import type { LabelAlertResponse } from "../../gen/web/telltale/v1/detector_pb.ts";
import { alertApi } from "./services/alert.ts";
import { detectorApi } from "./services/detector.ts";
import { toasts } from "./toasts.svelte.ts";

export function acknowledge({ id, sensorId }: Alert): Promise<Alert | undefined> {
  return done(`Acknowledged: ${sensorId}`, async () => (await alertApi.acknowledgeAlert({ alertId: id })).alert);
}

export function resolve({ id, sensorId }: Alert, comment: string): Promise<Alert | undefined> {
  return done(`Resolved: ${sensorId}`, async () => (await alertApi.resolveAlert({ alertId: id, comment })).alert);
}

export interface Label {
  /** Undefined: the label is withdrawn. */
  readonly correct: boolean | undefined;
  readonly comment: string;
}

export function label({ id, sensorId }: Alert, { correct, comment }: Label): Promise<LabelAlertResponse | undefined> {
  const said = correct === undefined ? "Label withdrawn" : correct ? "Labelled right" : "Labelled wrong";
  const request = { alertId: id, correct: correct ?? false, comment, withdraw: correct === undefined };
  return done(`${said}: ${sensorId}`, () => detectorApi.labelAlert(request));
}

async function done<T>(said: string, act: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    const answer = await act();
    toasts.say(said);
    return answer;
  } catch (error) {
    toasts.fail(error, said.split(":")[0]!);
    return undefined;
  }
}
