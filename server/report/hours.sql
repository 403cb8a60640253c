-- Readings by hour of one sensor after another, for those of the list.
select h.sensor_id, h.hour_us, sum(h.readings) as readings
from report_hour h
join report_listed l on l.sensor_id = h.sensor_id
cross join report_period p
where h.hour_us >= p.from_us
group by h.sensor_id, h.hour_us
order by h.sensor_id, h.hour_us
