-- Means over time of the series of the list, in steps of the period's choice.
select h.series, cast(floor(h.hour_us / (p.step_us * 1.0)) as bigint) * p.step_us as start_us, sum(h.total) / sum(h.readings) as mean
from report_hour h
join report_listed l on l.series = h.series
cross join report_period p
where h.total = 0 or abs(h.total) between 1e-90 and 1e90
group by h.series, cast(floor(h.hour_us / (p.step_us * 1.0)) as bigint) * p.step_us
order by h.series, start_us
