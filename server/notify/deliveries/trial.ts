/** A message that tries a receiver: queued like any other, sent by the process that notifies, and tried once. */
import { setTimeout as delay } from "node:timers/promises";
import type { Row, Sql } from "postgres";
import type { Clock } from "../../clock.ts";
import { jsonText } from "../../postgres/literal.ts";
import { SEARCH_LAG_MS } from "../channels/jira.ts";
import { channelKeys } from "../config/channel-keys.ts";
import { type ChannelConfig, INCIDENT_KINDS } from "../config/config.ts";
import type { Message } from "../message.ts";
import type { Text } from "../templates/template.ts";
import { FAILED, finish, QUEUED, SENT } from "./store.ts";
import { overOf } from "./test-message.ts";

/** Longer than most channels wait for an answer, and than it takes until another process notifies. */
const LONGEST_MS = 40_000;
const LOOK_MS = 100;

/** Where a test would stay an open alert that somebody has to close. */
const OPEN_UNTIL_TOLD: ReadonlySet<string> = new Set([...INCIDENT_KINDS, "alertmanager"]);

export interface Trial {
  readonly channel: number;
  readonly kind: string;
  readonly delivered: boolean;
  readonly reason: string;
}

/** Sends it to each channel of its receiver, by place, and waits for what becomes of it. */
export async function sendTest(
  sql: Sql,
  { message, channels }: { message: Message; channels: readonly ChannelConfig<Text>[] },
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<Trial[]> {
  const keys = channelKeys(channels);
  for (const [channel, { kind }] of channels.entries()) {
    const queued = { message, sequence: 0, channel, channelKey: keys[channel]!, kind, nextUs: AT_ONCE_US };
    await queue(sql, queued, clock.nowUs());
  }
  const untilMs = clock.monotonicMs() + LONGEST_MS;
  const look = () => sql`select * from notify_delivery where key = ${message.key} order by channel`;
  let rows: readonly Row[] = [];
  try {
    do {
      await delay(LOOK_MS, undefined, { signal });
      rows = await look();
    } while (rows.some(isOpen) && clock.monotonicMs() < untilMs);
    const opened = rows.filter(({ kind, state }) => state === SENT && OPEN_UNTIL_TOLD.has(kind));
    for (const { channel, channel_key: channelKey, kind } of opened) {
      const nowUs = clock.nowUs();
      // Before, the search would not find the issue of the test, and it would stay open.
      const nextUs = kind === "jira" ? nowUs + SEARCH_LAG_MS * 1_000 : AT_ONCE_US;
      await queue(sql, { message: overOf(message, nowUs), sequence: 1, channel, channelKey, kind, nextUs }, nowUs);
    }
    return rows.map(trialOf);
  } finally {
    // Tried once, also where the caller goes away: a test that arrives when nobody waits for it any more would only confuse.
    for (const row of signal.aborted ? await look() : rows) {
      if (row.state !== QUEUED) continue;
      await finish(
        sql,
        {
          id: row.id,
          state: FAILED,
          reason: signal.aborted ? "whoever asked did not wait for it" : trialOf(row).reason,
        },
        clock.nowUs(),
      );
    }
  }
}

interface Queued {
  readonly message: Message;
  readonly sequence: number;
  readonly channel: number;
  readonly channelKey: string;
  readonly kind: string;
  readonly nextUs: number;
}

/** Due whatever the clock of the process shows that sends it. */
const AT_ONCE_US = 0;

async function queue(sql: Sql, queued: Queued, nowUs: number): Promise<void> {
  const { message, sequence, channel, channelKey, kind, nextUs } = queued;
  const { key, groupKey, receiver } = message;
  await sql`insert into notify_delivery (key, group_key, sequence, receiver, channel, channel_key, kind, message, state, next_us, created_us)
    values (${key}, ${groupKey}, ${sequence}, ${receiver}, ${channel}, ${channelKey},
      ${kind}, ${jsonText(message)}::text::jsonb, ${QUEUED}, ${nextUs}, ${nowUs})`;
}

function isOpen({ state, attempts }: Row): boolean {
  return state === QUEUED && attempts === 0;
}

function trialOf({ channel, kind, state, attempts, reason }: Row): Trial {
  const unsent = `neither taken nor refused within ${LONGEST_MS / 1_000} s: it hangs, or no process with the role notify runs`;
  return { channel, kind, delivered: state === SENT, reason: state === QUEUED && attempts === 0 ? unsent : reason };
}
