-- Aggregates over windows of event time, written by the Spark job: a row for each window and key.
create table window_stats (
  -- sensor, type or location.
  kind text not null,
  key text not null,
  -- A window tumbles where slide_s = width_s.
  width_s int not null,
  slide_s int not null,
  started_at timestamptz not null,
  readings bigint not null,
  mean double precision not null,
  smallest double precision not null,
  largest double precision not null,
  -- Of the sample; null for a single reading.
  deviation double precision,
  anomalies bigint not null,
  primary key (kind, key, width_s, slide_s, started_at)
);
create index on window_stats (width_s, slide_s, started_at);

-- Times of the anomalies in a block; a is the block's number of them. Both layouts have them at the end, and times first: nothing
-- else is unpacked, which takes a hundredth of what block_points does.
create function block_anomalies(data bytea, first_us bigint, a int) returns setof bigint
language plpgsql immutable parallel safe as $$
declare
  layout int := get_byte(data, 0);
  form int := get_byte(data, 1);
  n int := block_le(data, 2, 2);
  at int := length(data) - 5 * a;
  us bigint := first_us;
  reached int := 0;
  i int;
  steps double precision[];
begin
  if layout not in (1, 2) then
    raise exception 'a block has layout %, this function reads 1 and 2', layout;
  end if;
  if layout = 2 then
    select r.x into steps from block_column(data, n - 1, 4) r;
  elsif n > 1 and form & 3 = 0 then
    steps := array_fill(block_float8(data, 4), array[n - 1]);
  end if;
  for k in 0 .. a - 1 loop
    i := block_le(data, at + 5 * k, 2);
    while reached < i loop
      reached := reached + 1;
      us := us + case when steps is not null then steps[reached]::bigint
        when form & 1 > 0 then block_le(data, 4 * reached, 4)
        else block_float8(data, 8 * reached - 4)::bigint end;
    end loop;
    return next us;
  end loop;
end $$;
