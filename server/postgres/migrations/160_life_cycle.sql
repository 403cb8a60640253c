-- Deleted sensors: a row each, written in the transaction that moves the offset past the deletion. From then on nothing leads from the
-- sensor to what is stored of it; that is removed in the background, and the row says how far.
create table sensor_deletion (
  id bigint generated always as identity primary key,
  partition int not null,
  -- Of the log's record: what the log has of the sensor before is deleted.
  log_offset bigint not null,
  sensor_id text collate "C" not null,
  -- Alerts of the sensor with ids from here on are of after the deletion.
  first_id bigint not null,
  -- Numbers of its series, whose rows are gone; blocks and aggregates with them are to be removed.
  series int[] not null,
  -- What its series counted.
  readings bigint not null,
  -- By the log's time.
  deleted_us bigint not null,
  deleted_by text not null,
  removed_readings bigint not null default 0,
  finished_us bigint,
  -- The transaction that wrote the row, as in sensor_profile.
  changed xid8 not null default pg_current_xact_id(),
  unique (partition, log_offset, sensor_id)
);
create index sensor_deletion_unfinished on sensor_deletion (id) where finished_us is null;
create index sensor_deletion_by_sensor on sensor_deletion (sensor_id, id);
create index sensor_deletion_changed on sensor_deletion (changed);

-- What series counted that are deleted. The other counters go on counting all that was ever stored.
alter table log_partition add column deleted_readings bigint not null default 0;
alter table log_partition add column deleted_anomalies bigint not null default 0;
alter table log_partition add column deleted_late bigint not null default 0;

-- Sensors that are retired (retired_us is set), and some that were.
create table sensor_retirement (
  sensor_id text collate "C" primary key,
  retired_us bigint,
  retired_by text not null,
  changed xid8 not null default pg_current_xact_id()
);
create index sensor_retirement_changed on sensor_retirement (changed);

-- Finds the events of alerts that are removed.
create index alert_event_by_alert on alert_event (alert_id);

-- In the transaction of a commit, after all else that it stores of these sensors. Waits for nobody: rows that somebody else holds are left
-- to the removal in the background.
create function delete_sensors(deletions jsonb) returns void language plpgsql as $$
declare
  d record;
begin
  for d in
    select * from jsonb_to_recordset(deletions)
      as x(partition int, log_offset bigint, sensor_id text, first_id bigint, deleted_us bigint, deleted_by text)
  loop
    with gone as (
      delete from series where sensor_id = d.sensor_id and partition = d.partition returning id, readings, anomalies, late
    ), sums as (
      select coalesce(array_agg(id), '{}') as ids, coalesce(sum(readings), 0)::bigint as readings,
        coalesce(sum(anomalies), 0)::bigint as anomalies, coalesce(sum(late), 0)::bigint as late
      from gone
    ), noted as (
      insert into sensor_deletion (partition, log_offset, sensor_id, first_id, series, readings, deleted_us, deleted_by)
      select d.partition, d.log_offset, d.sensor_id, d.first_id, ids, readings, d.deleted_us, d.deleted_by from sums
    )
    update log_partition l set deleted_readings = l.deleted_readings + s.readings,
        deleted_anomalies = l.deleted_anomalies + s.anomalies, deleted_late = l.deleted_late + s.late
      from sums s where l.partition = d.partition;
    delete from sensor_profile where sensor_id in (
      select p.sensor_id from sensor_profile p where p.sensor_id = d.sensor_id collate "C" for update skip locked);
    delete from sensor_attributes where (sensor_id, since_us) in (
      select a.sensor_id, a.since_us from sensor_attributes a where a.sensor_id = d.sensor_id collate "C" for update skip locked);
    delete from sensor_retirement where sensor_id = d.sensor_id collate "C";
  end loop;
end $$;

create function retire_sensors(retirements jsonb) returns void language sql as $$
  insert into sensor_retirement (sensor_id, retired_us, retired_by)
    select x.sensor_id, x.retired_us, x.retired_by
    from jsonb_to_recordset(retirements) as x(sensor_id text, retired_us bigint, retired_by text)
    on conflict (sensor_id) do update
      set retired_us = excluded.retired_us, retired_by = excluded.retired_by, changed = excluded.changed
      -- Retired again: it is since the first time.
      where (sensor_retirement.retired_us is null) <> (excluded.retired_us is null)
$$;
