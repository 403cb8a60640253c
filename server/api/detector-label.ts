import type { HandlerContext } from "@connectrpc/connect";
import { counted } from "../../formats/counted.ts";
import type { LabelAlertRequest } from "../../gen/es/telltale/v1/detector_pb.ts";
import { LABEL_READINGS, type LabelEffect, NAMED_ALERTS } from "../backtest/jobs.ts";
import type { BacktestRunner } from "../backtest/runner.ts";
import type { Clock } from "../clock.ts";
import { instant } from "../detect/index.ts";
import { TelltaleError } from "../errors.ts";
import { DAY_US } from "../lib/time.ts";
import { toAlert } from "../scoring/alert.ts";
import type { AlertRow } from "../store/store.ts";
import type { AlertActions } from "./alerts.ts";

/** A person says whether an alert was right. Through the log, like everything that changes results; repeating it changes nothing. */
export function createLabel(o: { acts: AlertActions; runner: BacktestRunner; clock: Clock }) {
  return async (request: LabelAlertRequest, context: HandlerContext) => {
    const { alertId, correct, comment, withdraw, dryRun } = request;
    const row = await o.acts.find(alertId, context);
    const job = {
      kind: "label",
      ...{ sensorId: row.sensorId, alertId: row.id, detector: row.detector },
      correct: withdraw ? null : correct,
      nowUs: o.clock.nowUs(),
    } as const;
    // Before the label is logged: taking it back is compared with having it.
    const effect = await effectOf(o.runner, job, context.signal);
    const said = row.label?.correct ?? null;
    const again = said === job.correct && (withdraw || row.label?.comment === comment);
    const value = { alertId, sensorId: row.sensorId, correct, comment, withdrawn: withdraw, detector: row.detector };
    const alert = again || dryRun ? toAlert(row) : await o.acts.act(row, { case: "label", value }, context);
    const { avoided = [], added = [] } = effect instanceof TelltaleError ? {} : effect;
    return {
      alert,
      alertsAvoided30d: BigInt(avoided.length),
      alertsAdded30d: BigInt(added.length),
      avoided: avoided.slice(0, NAMED_ALERTS).map(toAlert),
      added: added.slice(0, NAMED_ALERTS).map(toAlert),
      summary: summarise(row, job, { again, dryRun }, effect),
    };
  };
}

/** The label counts also where there is no room to compute what it changes. */
async function effectOf(runner: BacktestRunner, job: Parameters<BacktestRunner["label"]>[0], signal: AbortSignal) {
  try {
    return await runner.label(job, signal);
  } catch (error) {
    if (error instanceof TelltaleError && error.kind === "exhausted") return error;
    throw error;
  }
}

function summarise(
  row: AlertRow,
  { correct, nowUs }: { correct: boolean | null; nowUs: number },
  { again, dryRun }: { again: boolean; dryRun: boolean },
  effect: LabelEffect | TelltaleError,
): string {
  const what = correct === null ? "removed" : correct ? "right" : "wrong";
  const said = dryRun
    ? "Nothing is changed."
    : again
      ? correct === null
        ? "Nobody had labelled the alert; nothing changed."
        : `The alert was labelled ${what} before; nothing changed.`
      : correct === null
        ? "The label is removed."
        : `The alert is labelled ${what}.`;
  if (effect instanceof TelltaleError) return `${said} The effect was not computed: ${effect.message}.`;
  const { avoided, added, readings, whole, untilUs } = effect;
  const until = nowUs - untilUs > DAY_US ? ` up to its newest reading, ${instant(untilUs)},` : "";
  const with_ = correct === null ? "without the label" : "with the label";
  const from = whole ? "" : ` (judged from its newest ${counted(readings, "reading")}, at most ${LABEL_READINGS})`;
  return `${said} Over the last 30 days${until} ${row.sensorId} would have raised ${avoided.length} fewer and ${counted(added.length, "more alert")} ${with_}${from}.`;
}
