-- Alarms opened in the range, in all.
with opened as (
  select a.* from report_alarm a cross join report_period p where a.opened_us >= p.from_us
)
select count(*) as alarms,
  coalesce(sum(case when alert_type = 'silence' then 1 else 0 end), 0) as silences,
  coalesce(sum(case when acknowledged_us is not null then 1 else 0 end), 0) as acknowledged,
  percentile_cont(0.5) within group (order by (acknowledged_us - opened_us) / 1000000.0) as median_acknowledge_seconds,
  coalesce(sum(case when severity = 1 then 1 else 0 end), 0) as low,
  coalesce(sum(case when severity = 2 then 1 else 0 end), 0) as medium,
  coalesce(sum(case when severity = 3 then 1 else 0 end), 0) as high,
  coalesce(sum(case when severity = 4 then 1 else 0 end), 0) as critical
from opened
