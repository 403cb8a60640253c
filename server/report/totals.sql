select coalesce(sum(h.readings), 0) as readings, coalesce(sum(h.anomalies), 0) as anomalies
from report_hour h
cross join report_period p
where h.hour_us >= p.from_us
