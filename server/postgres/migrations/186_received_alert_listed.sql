-- Received alerts that are open are few among those that are kept: lists go through them in this order.
create index received_alert_listed on received_alert (id) where closed_us is null;
