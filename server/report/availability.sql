-- Of each sensor: how many readings were to be expected in the range, and how many came. What it usually sends in an hour is the
-- median of its hours with readings, in the baseline and the range. A sensor that has readings in fewer than half of the hours
-- between its first and its last one reports too seldom for an hour to tell anything: it has no usual number.
with hourly as (
  select sensor_id, hour_us, sum(readings) as readings from report_hour group by sensor_id, hour_us
),
habits as (
  select sensor_id, count(*) as hours, min(hour_us) as first_hour_us, max(hour_us) as last_hour_us,
    percentile_cont(0.5) within group (order by readings) as usual
  from hourly group by sensor_id
),
-- A sensor is expected from its very first reading on.
expected as (
  select s.sensor_id, s.sensor_type, greatest(p.from_us, s.first_us) as since_us, p.from_us, p.to_us,
    case when h.hours * 7200000000.0 >= h.last_hour_us - h.first_hour_us + 3600000000 then h.usual end as usual
  from report_sensor s
  join habits h on h.sensor_id = s.sensor_id
  cross join report_period p
  where s.first_us < p.to_us
),
-- More than usual in one hour does not make up for another. The first and the last hour may be there in part.
came as (
  select e.sensor_id, sum(h.readings) as readings,
    sum(least(h.readings, e.usual * (least(h.hour_us + 3600000000, e.to_us) - greatest(h.hour_us, e.since_us)) / 3600000000.0))
      as expected_ones
  from expected e
  join hourly h on h.sensor_id = e.sensor_id and h.hour_us >= e.from_us
  group by e.sensor_id
)
select e.sensor_id, e.sensor_type, e.usual, coalesce(c.readings, 0) as readings,
  case when e.usual is not null
    then 100.0 * coalesce(c.expected_ones, 0) / (e.usual * (e.to_us - e.since_us) / 3600000000.0) end as availability
from expected e
left join came c on c.sensor_id = e.sensor_id
order by availability nulls last, e.sensor_id
