/** The new scores take the place of the old ones, and the old ones theirs: done twice, everything is as before. */
import type { Sql } from "postgres";
import { TelltaleError } from "../errors.ts";
import { DAY_US } from "../lib/time.ts";
import { maintain } from "../store/compact.ts";
import { beginCompletion } from "../store/rollup-completion.ts";
import { type RescoreRun, staleParts } from "./run.ts";

/** Blocks of the run, as they are read now beside the other scores. */
const PAIRS = (run: RescoreRun) =>
  `block b join rescored_block r on r.run = ${run.id} and r.series = b.series and r.first_us = b.first_us
    where b.first_us >= ${run.fromUs} and b.first_us < ${run.untilUs}`;

/**
 * What charts show of the days is computed anew in the background. Minutes of sparse series, which are kept for their anomalies alone, are so at
 * once: a map of anomalies and the counts beside it agree.
 */
const CHARTS = `
      create temporary table changed_day on commit drop as
        select d.series, d.day, coalesce(r.minutes_from_us, ${Number.MAX_SAFE_INTEGER}) as minutes_from_us
        from (select distinct series, first_us - first_us % ${DAY_US} as day from changed) d left join rollup_series r using (series);
      update rollup t set charted = 0 from changed_day d cross join (values (60), (3600), (86400)) w(width)
        where t.series = d.series and t.width = w.width and t.bucket_us >= d.day and t.bucket_us < d.day + ${DAY_US}
          and (w.width > 60 or t.bucket_us >= d.minutes_from_us);
      delete from rollup t using changed_day d
        where t.series = d.series and t.width = 60 and t.bucket_us >= d.day and t.bucket_us < d.day + ${DAY_US} and t.bucket_us < d.minutes_from_us;
      insert into rollup (width, series, bucket_us, readings, total, smallest, largest, anomalies, charted, worst)
        select 60, c.series, x.us - x.us % 60000000, count(*), 0, 0, 0, count(*), count(*), max(x.score)
        from changed c join changed_day d on d.series = c.series and d.day = c.first_us - c.first_us % ${DAY_US}
          cross join lateral rows from (block_anomalies(c.data, c.first_us, c.anomalies), block_anomaly_scores(c.data, c.anomalies)) x(us, score)
        where c.anomalies > 0 and x.us - x.us % 60000000 < d.minutes_from_us
        group by c.series, x.us - x.us % 60000000`;

/**
 * One transaction: readers see all old or all new scores. Alerts do not change, because they record what people were notified of.
 * Rejects with TelltaleError "conflict" where blocks have changed since they were scored.
 */
export async function switchOver(sql: Sql, run: RescoreRun): Promise<void> {
  await maintain(sql, async (tx) => {
    const stale = await staleParts(tx, run);
    if (stale.length > 0) {
      throw new TelltaleError("conflict", `${stale.length} parts have changed since they were scored: rescore again`);
    }
    await tx.unsafe(`
      create temporary table changed on commit drop as
        select b.series, b.first_us, b.last_us, b.points, b.anomalies as old_anomalies, b.model as old_model, b.data as old_data,
          r.anomalies, r.model, r.data
        from ${PAIRS(run)};
      update block b set anomalies = c.anomalies, model = c.model, data = c.data
        from changed c where b.series = c.series and b.first_us = c.first_us
          and b.first_us >= ${run.fromUs} and b.first_us < ${run.untilUs};
      update rescored_block r set anomalies = c.old_anomalies, model = c.old_model, data = c.old_data
        from changed c where r.run = ${run.id} and r.series = c.series and r.first_us = c.first_us;

      create temporary table moved on commit drop as
        select series, us, sum(d)::int as d from (
          select series, us, -1 as d from changed cross join lateral block_anomalies(old_data, first_us, old_anomalies) us
            where old_anomalies > 0
          union all
          select series, us, 1 from changed cross join lateral block_anomalies(data, first_us, anomalies) us
            where anomalies > 0) a
        group by 1, 2 having sum(d) <> 0;
      update rollup t set anomalies = t.anomalies + m.d from (
        select series, width, us - us % (width * 1000000::bigint) as bucket_us, sum(d)::int as d
        from moved cross join (values (60), (3600), (86400)) w(width) group by 1, 2, 3) m
        where t.series = m.series and t.width = m.width and t.bucket_us = m.bucket_us
          and (m.width > 60 or m.bucket_us >= (select minutes_from_us from rollup_series r where r.series = m.series));
      ${CHARTS};

      lock table log_partition in exclusive mode;
      update series s set anomalies = s.anomalies + m.d
        from (select series, sum(d) as d from moved group by 1) m where s.id = m.series;
      update log_partition p set anomalies = p.anomalies + m.d
        from (select s.partition, sum(d) as d from moved join series s on s.id = moved.series group by 1) m
        where p.partition = m.partition;
      update series s set last_anomaly = c.spoke, last_score = case when c.spoke then block_le(c.data, length(c.data) - 3, 2) else 0 end
        from (select *, anomalies > 0 and block_le(data, length(data) - 5, 2) = points - 1 as spoke from changed) c
        where s.id = c.series and s.last_us = c.last_us;
      update rescore_run set switched_at = ${run.switched ? "null" : "now()"} where id = ${run.id}`);
    await beginCompletion(tx);
  });
}
