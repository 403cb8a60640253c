-- Settings as people want them not of assets alone, also of sensor types: both empty for those of all types. Of a type there is a row from
-- its first change on, and for good: without one the log alone says what holds, as before.
alter table asset_settings rename to wanted_settings;
alter table wanted_settings add column sensor_type text collate "C" not null default '';
alter table wanted_settings drop constraint asset_settings_pkey, add primary key (asset, sensor_type);
