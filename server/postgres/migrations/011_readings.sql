-- Readings for SQL and Grafana: readings(sensor, from, to). Decodes both layouts of blocks, see block.ts and cold.ts.

-- Names of what spoke, by the number in the blocks. The program keeps it up to date.
create table reason (
  id smallint primary key,
  name text not null
);

create function block_le(data bytea, at int, size int) returns bigint
language plpgsql immutable strict parallel safe as $$
declare x bigint := 0;
begin
  for i in reverse size - 1 .. 0 loop
    x := (x << 8) | get_byte(data, at + i);
  end loop;
  return x;
end $$;

-- Powers of two in halves: neither overflows nor loses bits, down to the smallest number.
create function block_scaled(mantissa bigint, exponent int, negative boolean) returns double precision
language sql immutable strict parallel safe as $$
  select case when negative then -1 else 1 end * (mantissa::float8 * power(2::float8, (exponent / 2)::float8)
    * power(2::float8, (exponent - exponent / 2)::float8))
$$;

create function block_float4(bits bigint) returns double precision
language sql immutable strict parallel safe as $$
  select case (bits >> 23) & 255
    when 255 then case when (bits & 8388607) <> 0 then 'NaN' when bits >= 2147483648 then '-Infinity' else 'Infinity' end::float8
    when 0 then block_scaled(bits & 8388607, -149, bits >= 2147483648)
    else block_scaled((bits & 8388607) | 8388608, ((bits >> 23) & 255)::int - 150, bits >= 2147483648) end
$$;

-- Eight bytes, least significant first, of a finite number.
create function block_float8(data bytea, at int) returns double precision
language plpgsql immutable strict parallel safe as $$
declare
  low bigint := block_le(data, at, 6);
  high int := get_byte(data, at + 6) | (get_byte(data, at + 7) << 8);
  exponent int := (high >> 4) & 2047;
  mantissa bigint := low | ((high & 15)::bigint << 48);
begin
  if exponent = 0 then
    return block_scaled(mantissa, -1074, high >= 32768);
  end if;
  return block_scaled(mantissa | 4503599627370496, exponent - 1075, high >= 32768);
end $$;

create function block_number(data bytea, inout at int, out x double precision)
language plpgsql immutable parallel safe as $$
declare head int := get_byte(data, at);
begin
  x := 0;
  for i in 1 .. head & 127 loop
    x := x * 256 + get_byte(data, at + i);
  end loop;
  at := at + 1 + (head & 127);
  if head >= 128 then x := -x; end if;
end $$;

-- n whole numbers of `width` bits each above `base`.
create function block_bits(data bytea, at int, n int, width int, base double precision) returns double precision[]
language sql immutable strict parallel safe as $$
  select case when n = 0 then '{}' when width = 0 then array_fill(base, array[n]) else (
    select array_agg(base + (substring(b from i * width + 1 for width)::bit(32)::bigint >> (32 - width)) order by i)
    from (select ('x' || encode(substring(data from at + 1 for (n * width + 7) / 8), 'hex'))::varbit as b offset 0) s,
      generate_series(0, n - 1) i) end
$$;

create function block_column(data bytea, n int, inout at int, out x double precision[])
language plpgsql immutable parallel safe as $$
declare
  head int := get_byte(data, at);
  width int := head & 63;
  m int := n;
  start double precision;
  base double precision;
  listed int := 0;
  places int[];
  others double precision[];
  other double precision;
  d double precision[];
begin
  at := at + 1;
  if head & 64 > 0 then
    select r.at, r.x into at, start from block_number(data, at) r;
    m := n - 1;
  end if;
  select r.at, r.x into at, base from block_number(data, at) r;
  if head & 128 > 0 then
    listed := block_le(data, at, 2);
    at := at + 2;
    for e in 1 .. listed loop
      places[e] := block_le(data, at, 2);
      select r.at, r.x into at, other from block_number(data, at + 2) r;
      others[e] := other;
    end loop;
  end if;
  d := block_bits(data, at, m, width, base);
  at := at + (m * width + 7) / 8;
  for e in 1 .. listed loop
    d[places[e] + 1] := others[e];
  end loop;
  if head & 64 = 0 then
    x := d;
    return;
  end if;
  x[1] := start;
  for i in 1 .. m loop
    start := start + d[i];
    x[i + 1] := start;
  end loop;
end $$;

create type block_point as (
  observed_us bigint,
  value double precision,
  confidence int,
  score int,
  reason smallint,
  anomaly boolean,
  late boolean,
  expected double precision,
  band double precision
);

-- The points of a block of layout 1, in columns of their own.
create function block_points_1(data bytea, first_us bigint) returns setof block_point
language plpgsql immutable parallel safe as $$
declare
  form int := get_byte(data, 1);
  n int := block_le(data, 2, 2);
  at int := 4;
  time_at int := 4;
  value_at int;
  scale double precision;
  confidence_at int;
  expected_at int;
  mark_at int;
  spoken_at int;
  spoken int;
  us bigint := first_us;
  step bigint := 0;
  p block_point;
begin
  -- Times, then ids: one step, or 4 or 8 bytes for each but the first.
  if n > 1 then
    if form & 3 = 0 then step := block_float8(data, 4)::bigint; end if;
    at := at + case when form & 1 > 0 then 4 * (n - 1) when form & 2 > 0 then 8 * (n - 1) else 8 end;
    at := at + case when form & 4 > 0 then 4 * (n - 1) when form & 8 > 0 then 8 * (n - 1) else 8 end;
  end if;
  if form & 48 > 0 then
    scale := power(10::float8, get_byte(data, at));
    at := at + 1;
  end if;
  value_at := at;
  at := at + n * case when form & 32 > 0 then 2 when form & 16 > 0 then 4 else 8 end;
  confidence_at := at;
  at := at + 2 * n;
  expected_at := at;
  if form & 128 > 0 then at := at + 8 * n; end if;
  mark_at := at;
  if form & 64 > 0 then at := at + n; end if;
  spoken := block_le(data, at, 2);
  spoken_at := at + 2;
  for i in 0 .. n - 1 loop
    if i > 0 then
      us := us + case when form & 1 > 0 then block_le(data, time_at + 4 * (i - 1), 4)
        when form & 2 > 0 then block_float8(data, time_at + 8 * (i - 1))::bigint else step end;
    end if;
    p.observed_us := us;
    p.value := case
      when form & 32 > 0 then ((block_le(data, value_at + 2 * i, 2) + 32768) % 65536 - 32768) / scale
      when form & 16 > 0 then ((block_le(data, value_at + 4 * i, 4) + 2147483648) % 4294967296 - 2147483648) / scale
      else block_float8(data, value_at + 8 * i) end;
    p.confidence := block_le(data, confidence_at + 2 * i, 2);
    p.expected := case when form & 128 > 0 then block_float4(block_le(data, expected_at + 4 * i, 4)) else 'NaN' end;
    p.band := case when form & 128 > 0 then block_float4(block_le(data, expected_at + 4 * (n + i), 4)) else 'NaN' end;
    p.late := form & 64 > 0 and get_byte(data, mark_at + i) & 1 > 0;
    p.anomaly := spoken > 0 and block_le(data, spoken_at, 2) = i;
    p.score := case when p.anomaly then block_le(data, spoken_at + 2, 2) else 0 end;
    p.reason := case when p.anomaly then get_byte(data, spoken_at + 4) else 0 end;
    if p.anomaly then
      spoken := spoken - 1;
      spoken_at := spoken_at + 5;
    end if;
    return next p;
  end loop;
end $$;

-- A float's bits from their place in the order of floats.
create function block_ordered_float(x double precision) returns double precision
language sql immutable strict parallel safe as $$
  select block_float4(case when x >= 2147483648 then x - 2147483648 else 4294967295 - x end::bigint)
$$;

create function block_points_2(data bytea, first_us bigint) returns setof block_point
language plpgsql immutable parallel safe as $$
declare
  form int := get_byte(data, 1);
  n int := block_le(data, 2, 2);
  at int := 4;
  steps double precision[];
  ids double precision[];
  kind int;
  values_at int;
  vals double precision[];
  confidences double precision[];
  expecteds double precision[];
  bands double precision[];
  marks double precision[];
  scale double precision := 1;
  spoken int;
  us bigint := first_us;
  p block_point;
begin
  select r.at, r.x into at, steps from block_column(data, n - 1, at) r;
  select r.at, r.x into at, ids from block_column(data, n - 1, at + 1) r;
  kind := get_byte(data, at);
  at := at + 1;
  if kind = 255 then
    values_at := at;
    at := at + 8 * n;
  else
    select r.at, r.x into at, vals from block_column(data, n, at) r;
    if kind < 254 then scale := power(10::float8, kind); end if;
  end if;
  select r.at, r.x into at, confidences from block_column(data, n, at) r;
  if form & 1 > 0 then
    select r.at, r.x into at, expecteds from block_column(data, n, at) r;
    select r.at, r.x into at, bands from block_column(data, n, at) r;
  end if;
  if form & 2 > 0 then
    select r.at, r.x into at, marks from block_column(data, n, at) r;
  end if;
  spoken := block_le(data, at, 2);
  at := at + 2;
  for i in 1 .. n loop
    if i > 1 then us := us + steps[i - 1]::bigint; end if;
    p.observed_us := us;
    p.value := case kind when 255 then block_float8(data, values_at + 8 * (i - 1))
      when 254 then block_ordered_float(vals[i]) else vals[i] / scale end;
    p.confidence := confidences[i];
    p.expected := case when form & 1 > 0 then block_ordered_float(expecteds[i]) else 'NaN' end;
    p.band := case when form & 1 > 0 then block_ordered_float(bands[i]) else 'NaN' end;
    p.late := form & 2 > 0 and marks[i]::int & 1 > 0;
    p.anomaly := spoken > 0 and block_le(data, at, 2) = i - 1;
    p.score := case when p.anomaly then block_le(data, at + 2, 2) else 0 end;
    p.reason := case when p.anomaly then get_byte(data, at + 4) else 0 end;
    if p.anomaly then
      spoken := spoken - 1;
      at := at + 5;
    end if;
    return next p;
  end loop;
end $$;

create function block_points(data bytea, first_us bigint) returns setof block_point
language plpgsql immutable parallel safe as $$
begin
  case get_byte(data, 0)
    when 1 then return query select * from block_points_1(data, first_us);
    when 2 then return query select * from block_points_2(data, first_us);
    else raise exception 'a block has layout %, this function reads 1 and 2', get_byte(data, 0);
  end case;
end $$;

create function to_us(t timestamptz) returns bigint
language sql immutable strict parallel safe as $$
  select least(greatest(extract(epoch from t) * 1000000, -9000000000000000), 9000000000000000)::bigint
$$;

-- A sensor's readings with from_time <= observed_at < to_time, in order of time. Null where nothing is known or nothing spoke.
create function readings(sensor text, from_time timestamptz default '-infinity', to_time timestamptz default 'infinity')
returns table (
  observed_at timestamptz,
  value double precision,
  anomaly_score double precision,
  is_anomaly boolean,
  confidence double precision,
  expected double precision,
  lower_bound double precision,
  upper_bound double precision,
  reason text,
  late boolean
)
language sql stable parallel safe as $$
  select timestamptz 'epoch' + p.observed_us * interval '1 microsecond', p.value, p.score / 10000::float8, p.anomaly,
    p.confidence / 10000::float8, nullif(p.expected, 'NaN'), nullif(p.expected - p.band, 'NaN'),
    nullif(p.expected + p.band, 'NaN'), case when p.anomaly then r.name end, p.late
  from series s
  cross join lateral (
    select b.data, b.first_us from block_new b
      where b.series = s.id and b.last_us >= to_us(from_time) and b.first_us < to_us(to_time)
    union all
    select b.data, b.first_us from block b
      where b.series = s.id and b.first_us >= to_us(from_time) - 86400000000 and b.first_us < to_us(to_time)
        and b.last_us >= to_us(from_time)) b
  cross join lateral block_points(b.data, b.first_us) p
  left join reason r on r.id = p.reason
  where s.sensor_id = sensor and p.observed_us >= to_us(from_time) and p.observed_us < to_us(to_time)
  order by p.observed_us
$$;
