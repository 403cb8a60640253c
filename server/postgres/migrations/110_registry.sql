-- Sensors as people know them. Display data: nothing here reaches a score.
create table sensor_profile (
  sensor_id text collate "C" primary key,
  display_name text not null default '',
  description text not null default '',
  owner text not null default '',
  runbook_url text not null default '',
  asset text not null default '',
  -- An array of texts, sorted.
  tags jsonb not null default '[]',
  -- An object of texts.
  attributes jsonb not null default '{}',
  revision bigint not null,
  updated_us bigint not null,
  updated_by text not null,
  -- The transaction that wrote the row: whoever has read the table before finds what has changed since by it. Unlike a time or a sequence it
  -- leaves no gap for transactions that commit in another order than they began.
  changed xid8 not null default pg_current_xact_id()
);
create index sensor_profile_changed on sensor_profile (changed);

alter table sensor_attributes add column changed xid8 not null default pg_current_xact_id();
create index sensor_attributes_changed on sensor_attributes (changed);

-- As before, and marks the row that it changes.
create or replace function put_sensor_attributes(changes jsonb) returns void language sql as $$
  insert into sensor_attributes (sensor_id, since_us, attributes)
    select x.* from jsonb_to_recordset(changes) as x(sensor_id text, since_us bigint, attributes jsonb)
    where x.attributes is distinct from (
      select a.attributes from sensor_attributes a
      where a.sensor_id = x.sensor_id collate "C" and a.since_us <= x.since_us order by a.since_us desc limit 1)
    on conflict (sensor_id, since_us) do update set attributes = excluded.attributes, changed = excluded.changed;

  delete from sensor_attributes a using jsonb_to_recordset(changes) as x(sensor_id text)
    where a.sensor_id = x.sensor_id collate "C" and a.since_us < (
      select b.since_us from sensor_attributes b where b.sensor_id = x.sensor_id collate "C"
      order by b.since_us desc offset 99 limit 1);
$$;

-- The open alerts of a sensor, and of all sensors: few among many that are closed.
create index alert_open on alert (sensor_id) include (severity, alert_type) where state = 1;
