-- Programs that are expected to give a sign of life, by the name that the configuration has for them. All times are the database's.
create table notify_heartbeat (
  name text primary key,
  -- Since when it is expected.
  since_us bigint not null,
  -- When it came last; null: never.
  last_us bigint,
  pings bigint not null default 0,
  -- Labels of its open alert, and since when that is; null: there is none.
  missing jsonb,
  missing_us bigint
);

-- Since when somebody has decided on notifications without a gap, and when last: a sign that came in a gap may be lost.
create table notify_watch (
  only_row boolean primary key default true check (only_row),
  since_us bigint not null,
  seen_us bigint not null
);

-- What became of the pings that are sent to others, by their name in the configuration.
create table notify_ping (
  name text primary key,
  ok_us bigint,
  failed_us bigint,
  reason text not null default ''
);

create function database_us() returns bigint language sql volatile as $$
  select (extract(epoch from clock_timestamp()) * 1000000)::bigint
$$;
