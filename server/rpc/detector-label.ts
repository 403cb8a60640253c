import type { HandlerContext } from "@connectrpc/connect";
import type { LabelAlertRequest } from "../../gen/es/telltale/v1/detector_pb.ts";
import { LABEL_READINGS, type LabelEffect } from "../backtest/jobs.ts";
import type { BacktestRunner } from "../backtest/runner.ts";
import type { Clock } from "../clock.ts";
import { TelltaleError } from "../errors.ts";
import { toAlert } from "../pipeline/alert.ts";
import type { AlertRow } from "../store/store.ts";
import type { AlertActs } from "./alerts.ts";

const MONTH_US = 30 * 86_400_000_000;
/** Alerts named one by one; counts are always complete. */
const NAMED_ALERTS = 100;

/** A person says whether an alert was right. Through the log, like everything that changes results; saying it again changes nothing. */
export function createLabel(o: { acts: AlertActs; runner: BacktestRunner; clock: Clock }) {
  return async (request: LabelAlertRequest, context: HandlerContext) => {
    const { alertId, correct, comment, withdraw } = request;
    const row = await o.acts.find(alertId, context);
    const job = {
      kind: "label",
      ...{ sensorId: row.sensorId, alertId: row.id, detector: row.detector },
      correct: withdraw ? null : correct,
      sinceUs: o.clock.nowUs() - MONTH_US,
    } as const;
    // Before the label is logged: taking it back is compared with having it.
    const effect = await effectOf(o.runner, job, context.signal);
    const said = row.label?.correct ?? null;
    const again = said === job.correct && (withdraw || row.label?.comment === comment);
    const value = { alertId, sensorId: row.sensorId, correct, comment, withdrawn: withdraw, detector: row.detector };
    const alert = again ? toAlert(row) : await o.acts.act(row, { case: "label", value }, context);
    const { avoided = [], added = [] } = effect instanceof TelltaleError ? {} : effect;
    return {
      alert,
      alertsAvoided30d: BigInt(avoided.length),
      alertsAdded30d: BigInt(added.length),
      avoided: avoided.slice(0, NAMED_ALERTS).map(toAlert),
      added: added.slice(0, NAMED_ALERTS).map(toAlert),
      summary: summarise(row, job.correct, again, effect),
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
  correct: boolean | null,
  again: boolean,
  effect: LabelEffect | TelltaleError,
): string {
  const what = correct === null ? "taken back" : correct ? "right" : "wrong";
  const said = again
    ? correct === null
      ? "Nobody had labelled the alert; nothing changed."
      : `The alert was labelled ${what} before; nothing changed.`
    : correct === null
      ? "The label is taken back."
      : `The alert is labelled ${what}.`;
  if (effect instanceof TelltaleError) return `${said} What that changes was not computed: ${effect.message}.`;
  const { avoided, added, readings, whole } = effect;
  const with_ = correct === null ? "without the label" : "with the label";
  const from = whole ? "" : ` (judged from its newest ${readings} readings, at most ${LABEL_READINGS})`;
  return `${said} Over the last 30 days ${row.sensorId} would have raised ${avoided.length} fewer and ${added.length} more alerts ${with_}${from}.`;
}
