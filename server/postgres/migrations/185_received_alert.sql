-- Alerts that other programs send, as Prometheus sends them to an Alertmanager. Written by whoever receives them, and by the one process
-- that decides on notifications.

-- Counted from 2^53 - 2^42: ids of readings, and so of our own alerts, come there three days before they end, in 2042.
create sequence received_alert_id as bigint minvalue 9002801208229888 maxvalue 9007199254740991 no cycle;

-- A row is an episode: the same labels that are sent again after the end are another row.
create table received_alert (
  id bigint primary key default nextval('received_alert_id'),
  -- SHA-256 of the labels: what an alert is known by. Fingerprints can be made to collide.
  label_hash text collate "C" not null,
  -- Of the labels, as Prometheus computes it: what people and programs see.
  fingerprint text collate "C" not null,
  labels jsonb not null,
  annotations jsonb not null,
  generator_url text not null,
  starts_us bigint not null,
  -- Until when it is open, unless it is sent again.
  ends_us bigint not null,
  -- Whether the end was not sent, and follows from the time of sending.
  is_timeout boolean not null,
  received_us bigint not null,
  updated_us bigint not null,
  -- When it ended; null: it is open.
  closed_us bigint,
  acknowledged_us bigint,
  acknowledged_by text,
  -- Whether notifications have yet to hear of a change.
  needs_step boolean not null
);
create unique index received_alert_open on received_alert (label_hash) where closed_us is null;
create index received_alert_by_end on received_alert (ends_us) where closed_us is null;
create index received_alert_changed on received_alert (id) where needs_step;
create index received_alert_closed on received_alert (closed_us) where closed_us is not null;
