/** One step of the derivation, in one transaction: events are taken, folded and stored with the cursor, or nothing of it has happened. */
import type { Sql } from "postgres";
import { fold } from "./fold.ts";
import { forgetRemoved, takeNext, takenAfter } from "./journal.ts";
import { loadState, type Progress, readProgress } from "./load.ts";
import { saveChanges } from "./save.ts";
import { type IncidentSettings, RULES_VERSION, settingsText } from "./settings.ts";
import { State } from "./state.ts";

/** Events folded and stored at once, about: through in a fraction of a second. */
export const EVENTS_AT_ONCE = 2_000;

export interface Step {
  readonly state: State;
  readonly events: number;
  readonly rebuilt: boolean;
}

/** Whether this program's rules, or a later one's, are in use. */
export function isOlder({ rules }: Progress): boolean {
  return rules > RULES_VERSION;
}

/**
 * Takes what is new. With other rules or settings than before, or where somebody asks for it, all is derived again first.
 *
 * @param known the state after the last step; loaded where there is none, or another process has gone on since
 */
export async function derive(tx: Sql, settings: IncidentSettings, known: State | undefined): Promise<Step> {
  const progress = await readProgress(tx);
  const { rules, seq, asked, answered } = progress;
  const rebuilt = asked !== answered || rules !== RULES_VERSION || progress.settings !== settingsText(settings);
  const loaded = () => (known?.seq === seq ? known : loadState(tx, progress, settings));
  const state = rebuilt ? await deriveAgain(tx, settings) : await loaded();
  const inputs = await takeNext(tx, seq + 1, EVENTS_AT_ONCE);
  for (const input of inputs) fold(state, input, settings);
  if (inputs.length > 0 || rebuilt) {
    await saveChanges(tx, state);
    await moveOn(tx, { state, settings, from: progress, rebuilt, to: seq + inputs.length });
  }
  return { state, events: inputs.length, rebuilt };
}

/** Folds all events that were ever taken and are still there. Whoever reads meanwhile sees what was before. */
async function deriveAgain(tx: Sql, settings: IncidentSettings): Promise<State> {
  await forgetRemoved(tx);
  for (const table of ["incident", "incident_member", "incident_sensor", "incident_pair", "incident_owner"])
    await tx.unsafe(`delete from ${table}`);
  const state = new State();
  for (let after = 0; ; after = state.seq) {
    const inputs = await takenAfter(tx, after, EVENTS_AT_ONCE);
    for (const input of inputs) fold(state, input, settings);
    await saveChanges(tx, state);
    if (inputs.length < EVENTS_AT_ONCE) return state;
  }
}

async function moveOn(
  tx: Sql,
  o: { state: State; settings: IncidentSettings; from: Progress; to: number; rebuilt: boolean },
): Promise<void> {
  const { state, settings, from, to, rebuilt } = o;
  state.seq = to;
  const { newestUs, firstUs, epoch } = state;
  const moved = await tx`
    update incident_progress set seq = ${to}, newest_us = ${newestUs}, first_us = ${firstUs}, epoch = ${epoch},
      rules = ${RULES_VERSION}, settings = ${settingsText(settings)}, answered = ${from.asked},
      generation = generation + ${rebuilt ? 1 : 0} where seq = ${from.seq}`;
  if (moved.count !== 1) throw new Error(`incidents were derived beyond event ${from.seq} by another process`);
}
