-- Alarms that are open at the end of the range, oldest first. A day without an end makes one stale.
select a.alert_id, a.sensor_id, a.alert_type, a.severity, a.opened_us, a.acknowledged_us,
  case when p.to_us - a.opened_us > 86400000000 then 1 else 0 end as stale
from report_alarm a
cross join report_period p
where a.closed_us is null or a.closed_us >= p.to_us
order by a.opened_us, a.alert_id
