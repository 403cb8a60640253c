-- Sensors by how many alarms they opened. An alarm chatters where it is the third of its sensor within ten minutes; it is fleeting
-- where it closed within a minute.
with opened as (
  select a.*, a.opened_us - lag(a.opened_us, 2) over (partition by a.sensor_id order by a.opened_us, a.alert_id) as three_us
  from report_alarm a
  cross join report_period p
  where a.opened_us >= p.from_us
),
counted as (
  select sensor_id, min(sensor_type) as sensor_type, count(*) as alarms,
    sum(case when three_us <= 600000000 then 1 else 0 end) as chatters,
    sum(case when closed_us - opened_us <= 60000000 then 1 else 0 end) as fleeting
  from opened
  group by sensor_id
)
select sensor_id, sensor_type, alarms, chatters, fleeting,
  100.0 * alarms / sum(alarms) over () as share,
  100.0 * sum(alarms) over (order by alarms desc, sensor_id rows between unbounded preceding and current row)
    / sum(alarms) over () as cumulative
from counted
order by alarms desc, sensor_id
