-- What a backtest needs of the log beside readings, at its place among them: the id clock and the log's time after the record.
-- detector_setting also holds labels and closings by hand from here on. Rows from before have no place: they come first.
alter table detector_setting add column tick bigint;
alter table detector_setting add column received_us bigint;

-- When the log said that time had passed, a row for each minute of its time. Each tick is 4 bytes, microseconds within the minute
-- (bit 31 clear); where the id clock runs ahead of the time, bit 31 is set and 8 bytes with the id clock follow. Big-endian.
create table log_tick (
  partition int not null,
  minute bigint not null,
  ticks bytea not null,
  primary key (partition, minute)
) with (fillfactor = 50);
alter table log_tick alter column ticks set storage plain;

-- What a person said of an alert: whether it was right, when, who, and why.
alter table alert add column label boolean;
alter table alert add column labelled_us bigint;
alter table alert add column labelled_by text not null default '';
alter table alert add column label_comment text not null default '';
