-- Names of sensors that were renamed. The log, the state and settings know a sensor by its first id, which is its key here; tables that queries
-- read have the id that is shown. A sensor that was never renamed has no row: its key is what is shown.
create table sensor_name (
  -- An id that leads to the sensor: the one that is shown, those of before, the first one among them, and one that is being given to it.
  name text collate "C" primary key,
  key text collate "C" not null,
  -- Whether it is the one that is shown.
  current boolean not null,
  named_us bigint not null,
  named_by text not null,
  changed xid8 not null default pg_current_xact_id()
);
create unique index sensor_name_current on sensor_name (key) where current;
create index sensor_name_by_key on sensor_name (key);
create index sensor_name_changed on sensor_name (changed);

-- Grows with each change of the names: whoever keeps them in memory reads them again. By how much is random: a crash of the database may take
-- back a change that somebody has read, and the next one must not look like it. One row.
create table sensor_name_version (
  only_row boolean primary key default true check (only_row),
  version bigint not null default 0
);
insert into sensor_name_version default values;

create function count_sensor_names() returns trigger language plpgsql as $$
begin
  update sensor_name_version set version = version + 1 + floor(random() * 1000000)::bigint;
  return null;
end $$;
create trigger count_sensor_names after insert or update or delete on sensor_name
  for each statement execute function count_sensor_names();

-- Processes that take readings, and up to which version each takes them by their names. One that is over is waited for until its time.
create table sensor_name_reader (
  process text primary key,
  version bigint not null,
  until timestamptz not null
);

-- What is shown of a sensor, by its key.
create function sensor_shown(of_key text) returns text language sql stable as $$
  select coalesce((select name from sensor_name where key = of_key collate "C" and current), of_key)
$$;

-- The key of a sensor, by any of its names.
create function sensor_key(of_name text) returns text language sql stable as $$
  select coalesce((select key from sensor_name where name = of_name collate "C"), of_name)
$$;

-- Scorers add series by the key of their sensor. A sensor that was begun under an id that leads to another one, by a process that did not know
-- of it, gets a name of its own: no reading is lost, and the two are not mixed.
create function show_series() returns trigger language plpgsql as $$
declare
  shown text;
begin
  -- Renames wait for series that are being added, and the other way round.
  perform pg_advisory_xact_lock_shared(7351909417);
  select name into shown from sensor_name where key = new.sensor_id collate "C" and current;
  if shown is null and exists (select from sensor_name where name = new.sensor_id collate "C") then
    shown := left(new.sensor_id, 150) || ' (begun in partition ' || new.partition || ')';
    while exists (select from sensor_name where name = shown collate "C") or exists (select from series where sensor_id = shown) loop
      shown := shown || '+';
    end loop;
    insert into sensor_name (name, key, current, named_us, named_by)
      values (shown, new.sensor_id, true, (extract(epoch from now()) * 1e6)::bigint, 'the platform');
  end if;
  if shown is not null then
    new.sensor_id := shown;
  end if;
  return new;
end $$;
create trigger show_series before insert on series for each row execute function show_series();

-- As before, and each under the name that its sensor has.
create or replace function put_alerts(alerts jsonb) returns void language sql as $$
  insert into alert as a (id, partition, sensor_id, sensor_type, alert_type, severity, message, score, value, threshold, opened_us,
      last_seen_us, closed_us, acknowledged_us, acknowledged_by, resolved_by, state, readings, detector, confidence, expected,
      model_version)
    select id, partition, sensor_shown(sensor_id), sensor_type, alert_type, severity, message, score, value, threshold, opened_us,
      last_seen_us, closed_us, acknowledged_us, acknowledged_by, resolved_by, state, readings, detector, confidence, expected,
      model_version
    from jsonb_to_recordset(alerts) as x(id bigint, partition int, sensor_id text, sensor_type text, alert_type text,
      severity smallint, message text, score double precision, value double precision, threshold double precision, opened_us bigint,
      last_seen_us bigint, closed_us bigint, acknowledged_us bigint, acknowledged_by text, resolved_by text, state smallint,
      readings bigint, detector text, confidence double precision, expected double precision, model_version text)
    on conflict (id) do update set partition = excluded.partition, sensor_id = excluded.sensor_id,
      sensor_type = excluded.sensor_type, alert_type = excluded.alert_type, severity = excluded.severity,
      message = excluded.message, score = excluded.score, value = excluded.value, threshold = excluded.threshold,
      opened_us = excluded.opened_us, last_seen_us = excluded.last_seen_us, closed_us = excluded.closed_us,
      acknowledged_us = excluded.acknowledged_us, acknowledged_by = excluded.acknowledged_by, resolved_by = excluded.resolved_by,
      state = excluded.state, readings = excluded.readings, detector = excluded.detector, confidence = excluded.confidence,
      expected = excluded.expected, model_version = excluded.model_version
$$;

-- As before, and each under the name that its sensor has.
create or replace function put_sensor_attributes(changes jsonb) returns void language sql as $$
  insert into sensor_attributes (sensor_id, since_us, attributes)
    select x.* from (
      select sensor_shown(c.sensor_id) as sensor_id, c.since_us, c.attributes
      from jsonb_to_recordset(changes) as c(sensor_id text, since_us bigint, attributes jsonb)) x
    where x.attributes is distinct from (
      select a.attributes from sensor_attributes a
      where a.sensor_id = x.sensor_id collate "C" and a.since_us <= x.since_us order by a.since_us desc limit 1)
    on conflict (sensor_id, since_us) do update set attributes = excluded.attributes, changed = excluded.changed;

  delete from sensor_attributes a using (
      select sensor_shown(c.sensor_id) as sensor_id from jsonb_to_recordset(changes) as c(sensor_id text)) x
    where a.sensor_id = x.sensor_id collate "C" and a.since_us < (
      select b.since_us from sensor_attributes b where b.sensor_id = x.sensor_id collate "C"
      order by b.since_us desc offset 99 limit 1);
$$;

-- The key of the deleted sensor, by which its settings are found, and what was set aside of it; sensor_id is what was shown. Null: the same.
alter table sensor_deletion add column sensor_key text collate "C";

-- As before, by the keys of sensors; the names of a sensor are free with it.
create or replace function delete_sensors(deletions jsonb) returns void language plpgsql as $$
declare
  d record;
begin
  for d in
    select x.*, sensor_shown(x.sensor_key) as sensor_id from jsonb_to_recordset(deletions) as y(
        partition int, log_offset bigint, sensor_id text, first_id bigint, deleted_us bigint, deleted_by text)
      cross join lateral (select y.partition, y.log_offset, y.sensor_id as sensor_key, y.first_id, y.deleted_us, y.deleted_by) x
  loop
    with gone as (
      delete from series where sensor_id = d.sensor_id and partition = d.partition returning id, readings, anomalies, late
    ), sums as (
      select coalesce(array_agg(id), '{}') as ids, coalesce(sum(readings), 0)::bigint as readings,
        coalesce(sum(anomalies), 0)::bigint as anomalies, coalesce(sum(late), 0)::bigint as late
      from gone
    ), noted as (
      insert into sensor_deletion (partition, log_offset, sensor_id, sensor_key, first_id, series, readings, deleted_us, deleted_by)
      select d.partition, d.log_offset, d.sensor_id, nullif(d.sensor_key, d.sensor_id), d.first_id, ids, readings, d.deleted_us,
        d.deleted_by from sums
    )
    update log_partition l set deleted_readings = l.deleted_readings + s.readings,
        deleted_anomalies = l.deleted_anomalies + s.anomalies, deleted_late = l.deleted_late + s.late
      from sums s where l.partition = d.partition;
    delete from sensor_profile where sensor_id in (
      select p.sensor_id from sensor_profile p where p.sensor_id = d.sensor_id collate "C" for update skip locked);
    delete from sensor_attributes where (sensor_id, since_us) in (
      select a.sensor_id, a.since_us from sensor_attributes a where a.sensor_id = d.sensor_id collate "C" for update skip locked);
    delete from sensor_retirement where sensor_id = d.sensor_id collate "C";
    if exists (select from sensor_name where key = d.sensor_key collate "C") then
      delete from sensor_name where key = d.sensor_key collate "C";
    end if;
  end loop;
end $$;

-- As before, by the keys of sensors.
create or replace function retire_sensors(retirements jsonb) returns void language sql as $$
  insert into sensor_retirement (sensor_id, retired_us, retired_by)
    select sensor_shown(x.sensor_id), x.retired_us, x.retired_by
    from jsonb_to_recordset(retirements) as x(sensor_id text, retired_us bigint, retired_by text)
    on conflict (sensor_id) do update
      set retired_us = excluded.retired_us, retired_by = excluded.retired_by, changed = excluded.changed
      -- Retired again: it is since the first time.
      where (sensor_retirement.retired_us is null) <> (excluded.retired_us is null)
$$;

-- Moves alerts of a sensor, all of them or those that are closed, to its new name. Of an earlier sensor of the id, which is being removed,
-- nothing goes along.
create function rename_alerts(of_partition int, old_name text, new_name text, closed_only boolean) returns void language sql as $$
  update alert a set sensor_id = new_name
    where a.sensor_id = old_name and a.partition = of_partition and (a.state <> 1 or not closed_only) and not exists (
      select from sensor_deletion d where d.finished_us is null and d.sensor_id = old_name collate "C"
        and d.partition = of_partition and a.id < d.first_id)
$$;

-- Shows a sensor under a name that leads to it already. Fails with TT004 and the message "gone" where the sensor was deleted meanwhile, "taken"
-- where there is a sensor of that id by now. What commits store comes under the one name or the other: they wait for the last part of it,
-- which is short, and not for alerts of the past, of which there may be many.
create function rename_sensor(of_key text, of_partition int, new_name text, at_us bigint, by_whom text) returns void
language plpgsql as $$
declare
  old_name text;
begin
  -- Profiles that are being edited, and other renames.
  perform pg_advisory_xact_lock(7351909410);
  select name into old_name from sensor_name where key = of_key collate "C" and current;
  if old_name = new_name then return; end if;
  if exists (select from series where sensor_id = new_name) or exists (
    select from sensor_profile where sensor_id = new_name collate "C") then
    raise exception 'taken' using errcode = 'TT004';
  end if;
  perform rename_alerts(of_partition, old_name, new_name, true);

  -- Series that are being added, then commits: neither takes the one lock while it has the other.
  perform pg_advisory_xact_lock(7351909417);
  perform 1 from log_partition where partition = of_partition for update;
  if not exists (select from sensor_name where key = of_key collate "C" and name = old_name collate "C" and current) or not exists (
    select from sensor_name where key = of_key collate "C" and name = new_name collate "C") then
    raise exception 'gone' using errcode = 'TT004';
  end if;
  if exists (select from series where sensor_id = new_name) then raise exception 'taken' using errcode = 'TT004'; end if;
  perform rename_alerts(of_partition, old_name, new_name, false);
  update series set sensor_id = new_name where sensor_id = old_name and partition = of_partition;
  update sensor_profile p set sensor_id = new_name, changed = pg_current_xact_id()
    where p.sensor_id = old_name collate "C" and not exists (
      select from sensor_deletion d where d.finished_us is null and d.sensor_id = p.sensor_id and p.changed <= d.changed);
  delete from sensor_attributes where sensor_id = new_name collate "C";
  update sensor_attributes a set sensor_id = new_name, changed = pg_current_xact_id()
    where a.sensor_id = old_name collate "C" and not exists (
      select from sensor_deletion d where d.finished_us is null and d.sensor_id = a.sensor_id and a.changed <= d.changed);
  delete from sensor_retirement where sensor_id = new_name collate "C";
  update sensor_retirement set sensor_id = new_name, changed = pg_current_xact_id() where sensor_id = old_name collate "C";

  update sensor_name set current = false, changed = pg_current_xact_id() where key = of_key collate "C" and current;
  update sensor_name set current = true, named_us = at_us, named_by = by_whom, changed = pg_current_xact_id()
    where name = new_name collate "C";
end $$;

-- Members of incidents as they are shown: incidents are derived by the keys of sensors.
create view incident_member_shown as
  select m.alert_id, m.incident_id, m.first_incident_id, m.seq, m.changed_seq, m.sensor_id as sensor_key,
    coalesce(n.name, m.sensor_id) as sensor_id, m.alert_type, m.severity, m.opened_us, m.closed_us, m.acknowledged, m.owner, m.asset,
    m.keys, m.reason || jsonb_strip_nulls(jsonb_build_object('otherSensor', sensor_shown(m.reason->>'otherSensor'),
      'ownSensor', sensor_shown(m.reason->>'ownSensor'))) as reason
  from incident_member m left join sensor_name n on n.key = m.sensor_id and n.current;
