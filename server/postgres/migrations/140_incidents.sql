-- Incidents: derived from alert events alone, and derived again from them whenever the rules or the settings change.

-- The order in which alert events were taken, which is the same for ever, and what the registry said of the sensor when its alert opened.
create table incident_event (
  seq bigint primary key,
  partition int not null,
  number bigint not null,
  -- Null: nothing, or the event opens no alert.
  facts jsonb,
  unique (partition, number)
);

-- How far they are derived, by which rules and with which settings. One row.
create table incident_progress (
  only_row boolean primary key default true check (only_row),
  seq bigint not null default 0,
  newest_us bigint not null default -1,
  first_us bigint not null default -1,
  epoch bigint not null default -1,
  rules int not null default 0,
  settings text not null default '',
  -- Grows with each time that all are derived again.
  generation bigint not null default 0,
  -- How often somebody asked for that, and which of these are answered.
  asked bigint not null default 0,
  answered bigint not null default 0
);
insert into incident_progress default values;

-- Alert events change only where they are removed with their sensor: then nothing of it may be left.
create function ask_for_incidents() returns trigger language plpgsql as $$
begin
  update incident_progress set asked = asked + 1;
  return null;
end $$;
create trigger incidents_without_removed_events after update on alert_event
  for each statement execute function ask_for_incidents();

create table incident (
  id bigint primary key,
  seq bigint not null,
  changed_seq bigint not null,
  opened_us bigint not null,
  last_us bigint not null,
  -- The latest close of its alerts that are closed.
  closed_us bigint,
  severity smallint not null,
  origin_alert bigint not null,
  worst_alert bigint not null,
  alerts int not null,
  open int not null,
  acknowledged int not null,
  sensors int not null,
  -- Null where it is no flood.
  flood_owner text,
  flood_peak int not null,
  -- Whether alerts may still join it.
  live boolean not null
);
create index incident_by_time on incident (opened_us desc, id desc);
create index incident_open on incident (opened_us desc, id desc) where open > 0;
create index incident_live on incident (id) where live;

create table incident_member (
  alert_id bigint primary key,
  incident_id bigint not null,
  -- The incident that it was in first.
  first_incident_id bigint not null,
  seq bigint not null,
  changed_seq bigint not null,
  sensor_id text collate "C" not null,
  alert_type text not null,
  severity smallint not null,
  opened_us bigint not null,
  closed_us bigint,
  acknowledged boolean not null,
  owner text not null,
  asset text collate "C" not null,
  keys jsonb not null,
  reason jsonb not null
);
create index incident_member_of on incident_member (incident_id, opened_us, alert_id);
-- Few among many: what other incidents were merged into one.
create index incident_member_merged on incident_member (incident_id, first_incident_id, seq) where first_incident_id <> incident_id;
create index incident_member_changed on incident_member (changed_seq);
create index incident_member_sensor on incident_member (sensor_id);
create index incident_member_asset on incident_member (asset) where asset <> '';
create index incident_member_owner on incident_member (owner, opened_us);

-- What is learnt from the alert history: openings by epochs of 30 days, of sensors and of pairs that opened within the window of each other.
create table incident_sensor (
  sensor_id text collate "C" primary key,
  epoch bigint not null,
  current int not null,
  previous int not null,
  counted_us bigint not null,
  counted_seq bigint not null,
  opened_us bigint not null,
  opened_seq bigint not null,
  alert_id bigint not null
);
create table incident_pair (
  a text collate "C" not null,
  b text collate "C" not null,
  epoch bigint not null,
  current int not null,
  previous int not null,
  seq bigint not null,
  primary key (a, b)
);
create table incident_owner (
  owner text collate "C" primary key,
  since_seq bigint not null,
  newest_us bigint not null,
  flood_alert bigint
);
