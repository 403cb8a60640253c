-- What was taken into the log and the store then refused for its data, or the scorer could not read: set aside, so that everything else
-- of its partition goes on. Written in the transaction that stores the rest of its record and moves the offset. Whoever reads the log
-- again leaves these out: they never change a state or a score.
create table quarantined_reading (
  id bigint generated always as identity primary key,
  partition int not null,
  log_offset bigint not null,
  -- Place of its batch in the log's record and index in the batch. A control has the place -1, a whole record -2.
  fragment int not null,
  index int not null,
  -- How many readings it stands for: 1, or of a whole record those that are in it.
  readings int not null,
  -- Of a single reading; with characters that cannot be stored replaced.
  sensor_id text not null default '',
  -- Why, for people; and the SQLSTATE, where the store refused it.
  reason text not null,
  sqlstate text not null default '',
  -- When the log took it, microseconds since 1970.
  received_us bigint not null,
  -- A Reading, a Control or the record, in binary form.
  payload bytea not null,
  -- What a person decided: 1 waiting, 2 submitted again, 3 discarded.
  state smallint not null default 1,
  decided_us bigint,
  decided_by text not null default '',
  unique (partition, log_offset, fragment, index)
);
create index quarantined_reading_waiting on quarantined_reading (id) where state = 1;
