-- When the generation was opened, and the readings stored before it: a large or an old one is closed.
alter table block_generation add column opened_at timestamptz not null default now();
alter table block_generation add column readings_before bigint not null default 0;

-- Blocks are packed already: a try to compress them costs time and gains nothing.
alter table block alter column data set storage external;
alter table block_new alter column data set storage external;
alter table block_new_1 alter column data set storage external;
-- A generation lives for an hour at the most and is then dropped.
alter table block_new_1 set (autovacuum_enabled = false, toast.autovacuum_enabled = false);

create index on block (series, first_us);
create index on block (last_us) where anomalies > 0;

-- What rollup holds of a series. Hours and days always; minutes only of series with several readings in each, and only for
-- readings from minutes_from_us on (null: none yet).
create table rollup_series (
  series int primary key,
  -- Newest reading in block, kept up to date while minutes_from_us is null.
  newest_us bigint not null,
  minutes_from_us bigint
);
