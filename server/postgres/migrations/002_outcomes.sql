-- What became of log records, for processes that wait for it and missed the notice. Kept for the newest records only.
create table record_outcome (
  partition int not null,
  log_offset bigint not null,
  outcome bytea not null,
  primary key (partition, log_offset)
);
