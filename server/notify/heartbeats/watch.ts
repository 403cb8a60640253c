/**
 * Programs that are expected to give a sign of life: of one that is missing there is an alert, stored as those are that other programs send,
 * and routed and shown like them.
 */
import type { Sql } from "postgres";
import { durationText } from "../../../formats/duration.ts";
import { instant } from "../../detect/index.ts";
import type { HeartbeatConfig } from "../config/config.ts";
import type { Labels } from "../matching.ts";
import { MAX_OPEN_RECEIVED_ALERTS } from "../received/limits.ts";
import { labelHash, type SentAlert } from "../received/received-alert.ts";
import { receiveWithin } from "../received/store.ts";
import { deadlineUs } from "./due.ts";
import { MAX_HEARTBEATS } from "./limits.ts";
import { databaseUs, expect, forget, keepWatch, markMissing, readHeartbeats, type StoredHeartbeat } from "./store.ts";

export const HEARTBEAT_MISSING = "heartbeat_missing";
/** It is over when the program gives a sign again, and not by the time. */
const NEVER_US = Date.UTC(2200, 0) * 1_000;
/** Whatever others send, there is room for these. */
const MOST_OPEN = MAX_OPEN_RECEIVED_ALERTS + MAX_HEARTBEATS;

/** How many are missing. */
export async function watchHeartbeats(tx: Sql, configured: readonly HeartbeatConfig[]): Promise<number> {
  const nowUs = await databaseUs(tx);
  const watchedUs = await keepWatch(tx, nowUs);
  const stored = new Map((await readHeartbeats(tx)).map((each) => [each.name, each]));
  const wanted = new Map(configured.map((each) => [each.name, each]));
  const unknown = [...wanted.keys()].filter((name) => !stored.has(name));
  if (unknown.length > 0) await expect(tx, unknown, nowUs);
  let missing = 0;
  for (const known of stored.values()) {
    const heartbeat = wanted.get(known.name);
    const labels = heartbeat && missingLabels(heartbeat, known, { nowUs, watchedUs });
    if (labels !== undefined) missing++;
    await change(tx, known, heartbeat, labels, nowUs);
  }
  const gone = [...stored.keys()].filter((name) => !wanted.has(name));
  if (gone.length > 0) await forget(tx, gone);
  return missing;
}

/** Labels of the alert that there has to be; undefined: none. */
function missingLabels(
  heartbeat: HeartbeatConfig,
  { sinceUs, lastUs, missing }: StoredHeartbeat,
  { nowUs, watchedUs }: { readonly nowUs: number; readonly watchedUs: number },
): Labels | undefined {
  const signs = { sinceUs, lastUs, isMissing: missing !== undefined };
  if (deadlineUs(signs, heartbeat, watchedUs) > nowUs) return undefined;
  const { name, labels } = heartbeat;
  return { severity: "high", ...labels, alertname: HEARTBEAT_MISSING, heartbeat: name };
}

/** Ends the alert that there is, and opens the one that there has to be. Other labels are another alert. */
async function change(
  tx: Sql,
  known: StoredHeartbeat,
  heartbeat: HeartbeatConfig | undefined,
  labels: Labels | undefined,
  nowUs: number,
): Promise<void> {
  const { name, missing } = known;
  if (missing !== undefined && labels !== undefined && labelHash(missing) === labelHash(labels)) return;
  if (missing !== undefined) {
    await receiveWithin(tx, [alertOf(missing, {}, { nowUs, endsUs: nowUs })], { nowUs, most: MOST_OPEN, isOwn: true });
    await markMissing(tx, name, undefined);
  }
  if (heartbeat === undefined || labels === undefined) return;
  const alert = alertOf(labels, annotationsOf(heartbeat, known), { nowUs, endsUs: NEVER_US });
  await receiveWithin(tx, [alert], { nowUs, most: MOST_OPEN, isOwn: true });
  await markMissing(tx, name, { labels, sinceUs: nowUs });
}

function alertOf(
  labels: Labels,
  annotations: SentAlert["annotations"],
  { nowUs, endsUs }: { readonly nowUs: number; readonly endsUs: number },
): SentAlert {
  return { labels, annotations, generatorUrl: "", startsUs: nowUs, endsUs, isTimeout: false };
}

function annotationsOf(
  { name, intervalMs, graceMs, runbookUrl }: HeartbeatConfig,
  { lastUs, sinceUs }: StoredHeartbeat,
): Record<string, string> {
  const last =
    lastUs === undefined ? `None has come since ${instant(sinceUs)}` : `The last one came at ${instant(lastUs)}`;
  const rule = `one is expected every ${durationText(intervalMs)}, and at the latest ${durationText(graceMs)} after that`;
  return {
    summary: `${name} gives no sign of life`,
    description: `${last}; ${rule}.`,
    ...(runbookUrl === undefined ? {} : { runbook_url: runbookUrl }),
  };
}
