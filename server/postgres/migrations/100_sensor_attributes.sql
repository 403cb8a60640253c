-- What is known of a sensor beside its readings: a row for each change, from the time of the reading that it came with.
create table sensor_attributes (
  sensor_id text collate "C" not null,
  since_us bigint not null,
  attributes jsonb not null,
  primary key (sensor_id, since_us)
);

-- Adds what differs from what holds at its time; at most one of a sensor. Of each sensor the newest 100 changes are kept: one that sends others
-- with every reading must not grow without bound.
create function put_sensor_attributes(changes jsonb) returns void language sql as $$
  insert into sensor_attributes (sensor_id, since_us, attributes)
    select x.* from jsonb_to_recordset(changes) as x(sensor_id text, since_us bigint, attributes jsonb)
    where x.attributes is distinct from (
      select a.attributes from sensor_attributes a
      where a.sensor_id = x.sensor_id collate "C" and a.since_us <= x.since_us order by a.since_us desc limit 1)
    on conflict (sensor_id, since_us) do update set attributes = excluded.attributes;

  delete from sensor_attributes a using jsonb_to_recordset(changes) as x(sensor_id text)
    where a.sensor_id = x.sensor_id collate "C" and a.since_us < (
      select b.since_us from sensor_attributes b where b.sensor_id = x.sensor_id collate "C"
      order by b.since_us desc offset 99 limit 1);
$$;
