-- Alarms opened in each ten minutes of the range; those without any are left out.
select cast(floor((a.opened_us - p.from_us) / 600000000.0) as bigint) as slot, count(*) as alarms
from report_alarm a
cross join report_period p
where a.opened_us >= p.from_us
group by cast(floor((a.opened_us - p.from_us) / 600000000.0) as bigint)
order by slot
