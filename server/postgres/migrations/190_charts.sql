-- What a chart shows of a bucket beside its count, sum, extremes and anomalies.
alter table rollup
  -- Readings that the columns below stand for. Fewer than readings: an earlier version has added some, or scores were replaced. Such a row is
  -- computed anew from the blocks in the background, as long as those are there.
  add column charted int not null default 0,
  -- Of them, those that have an expected value; and the sum of these.
  add column forecast int not null default 0,
  add column expected_total double precision,
  add column first_us bigint,
  add column first_value double precision,
  add column last_us bigint,
  add column last_value double precision,
  -- Lowest lower and highest upper bound.
  add column lowest double precision,
  add column highest double precision,
  -- Highest anomaly score, in steps of 1e-4.
  add column worst smallint;

-- For maps of anomalies. It is the one thing here that reads the table.
create index rollup_anomalies on rollup (width, bucket_us) include (series, anomalies, worst) where anomalies > 0;

-- How far the rows of before are computed anew: series up to this one, and of the next one days up to this one; and when the last pass over
-- all series began that has come to its end (null: none yet). There is nothing to do in a new database.
create table rollup_completion (
  only_row boolean primary key default true check (only_row),
  after_series int not null default -1,
  after_us bigint not null default 0,
  began_at timestamptz not null default now(),
  completed_at timestamptz
);
insert into rollup_completion (completed_at) select case when exists (select from rollup) then null else 'infinity'::timestamptz end;

-- Scores of the anomalies in a block, in steps of 1e-4, in the order of block_anomalies; a is their number.
create function block_anomaly_scores(data bytea, a int) returns setof int
language sql immutable strict parallel safe as $$
  select block_le(data, length(data) - 5 * a + 5 * k + 2, 2)::int from generate_series(0, a - 1) k
$$;
