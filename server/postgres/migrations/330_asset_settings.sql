-- Settings of assets as people want them, each with the control record that says so: whole, so that each partition gets the same one whenever
-- it gets it. Without any setting: until all partitions have it.
create table asset_settings (
  asset text collate "C" primary key,
  -- A telltale.v1.Control in binary form.
  control bytea not null,
  -- Whether it sets nothing.
  empty boolean not null
);

-- The assets of sensors as the log knows them, by the keys of sensors: those of sensors for which settings of assets count, or have counted.
-- Written by the commit of the record that says so.
create table sensor_place (
  sensor_key text collate "C" primary key,
  partition int not null,
  -- Empty: in none, and it was in one.
  asset text collate "C" not null
);

create function place_sensors(placements jsonb) returns void language sql as $$
  insert into sensor_place (sensor_key, partition, asset)
    select distinct on (x.sensor_key) x.sensor_key, x.partition, x.asset
    from jsonb_to_recordset(placements) as x(place int, partition int, sensor_key text, asset text)
    order by x.sensor_key, x.place desc
    on conflict (sensor_key) do update set partition = excluded.partition, asset = excluded.asset
$$;

-- Beside delete_sensors.
create function forget_places(deletions jsonb) returns void language sql as $$
  delete from sensor_place p using jsonb_to_recordset(deletions) as d(partition int, sensor_id text)
    where p.sensor_key = d.sensor_id collate "C" and p.partition = d.partition
$$;

-- Whether an asset is another one, or in it.
create function is_in_asset(asset text, other text) returns boolean language sql immutable parallel safe as $$
  select asset = other or starts_with(asset, other || '/')
$$;
