/** A silence that somebody makes from a message: of one alert, and one for each receiver. */
import type { Sql } from "postgres";
import type { Matcher } from "../../../formats/matchers.ts";
import { jsonText } from "../../postgres/literal.ts";
import { transaction } from "../../postgres/transaction.ts";
import type { Labels } from "../matching.ts";
import type { Silence } from "../silences/silence.ts";
import { addSilence, prolongSilence, silenceOf } from "../silences/store.ts";

const HOUR_US = 3_600_000_000;
/** Any constant of our own: whoever taps twice has one silence. */
const LOCK = 7_351_909_421;
const COMMENT = "from a message";

/**
 * What an alert is known by: one of ours by its sensor and type, whatever becomes of its severity; one of another program by all that it was
 * sent with.
 */
export function matchersOf(labels: Labels, isReceived: boolean): Matcher[] {
  const names = isReceived ? Object.keys(labels) : ["alertname", "sensor_id", "sensor_type"];
  return names
    .filter((name) => (labels[name] ?? "") !== "")
    .sort()
    .map((name) => ({ name, operator: "=", value: labels[name]! }));
}

/** Lasts at least until so many hours from now; one that the same author made for the same alert lasts longer instead. */
export function silenceFor(
  sql: Sql,
  { matchers, author, hours }: { matchers: readonly Matcher[]; author: string; hours: number },
  nowUs: number,
): Promise<Silence> {
  return transaction(sql, async (tx) => {
    await tx`select pg_advisory_xact_lock(${LOCK})`;
    const endsUs = nowUs + hours * HOUR_US;
    const [row] =
      await tx`select * from silence where author = ${author} and comment = ${COMMENT} and ends_us > ${nowUs}
      and starts_us <= ${nowUs} and matchers = ${jsonText(matchers)}::text::jsonb order by ends_us desc limit 1`;
    if (row === undefined) {
      const wanted = {
        matchers,
        author,
        comment: COMMENT,
        sensorPrefix: "",
        tell: "",
        tellBeforeUs: 0,
        startsUs: nowUs,
        endsUs,
      };
      return addSilence(tx, wanted, nowUs);
    }
    const before = silenceOf(row);
    if (before.endsUs >= endsUs) return before;
    return prolongSilence(tx, before.id, endsUs, nowUs);
  });
}
