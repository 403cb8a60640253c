-- Alerts that were open at some time: those that are over by then are not looked at. What is open is null here, and found as well.
create index alert_closed on alert (closed_us);
