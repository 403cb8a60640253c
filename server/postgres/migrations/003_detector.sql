-- Settings and maintenance windows by their place in the log: a rebuilding applies those before its first record.
create table detector_setting (
  partition int not null,
  log_offset bigint not null,
  -- A `Control` in binary form: config, maintenance or end_maintenance.
  control bytea not null,
  primary key (partition, log_offset)
);
