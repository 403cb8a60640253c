-- How far the level of each series (a sensor with its unit) lies from where it was, in deviations of its hours. What has fewer
-- than a day of hours before, or a quarter of a day in the range, has no level to compare. Hours whose sum is beyond what can be squared
-- and divided in double precision are no measurements: they are left out.
with hourly as (
  select h.series, h.sensor_id, h.unit, sum(h.total) / sum(h.readings) as mean,
    case when h.hour_us < p.from_us then 1 else 0 end as earlier
  from report_hour h
  cross join report_period p
  where h.total = 0 or abs(h.total) between 1e-90 and 1e90
  group by h.series, h.sensor_id, h.unit, h.hour_us, p.from_us
),
levels as (
  select series, sensor_id, unit,
    avg(case when earlier = 1 then mean end) as baseline_mean,
    stddev_samp(case when earlier = 1 then mean end) as baseline_deviation,
    avg(case when earlier = 0 then mean end) as mean
  from hourly
  group by series, sensor_id, unit
  having sum(earlier) >= 24 and sum(1 - earlier) >= 6
)
select series, sensor_id, unit, baseline_mean, baseline_deviation, mean, (mean - baseline_mean) / baseline_deviation as shift
from levels
where baseline_deviation > 0
order by abs((mean - baseline_mean) / baseline_deviation) desc, sensor_id, series
