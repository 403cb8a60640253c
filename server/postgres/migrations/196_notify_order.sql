-- Changes of silences and overrides, by the database's own order: clocks of processes differ.

-- Grows with each change: whoever keeps them in memory reads them again. By how much is random: a crash of the database may take back a change
-- that somebody has read, and the next one must not look like it.
create table notify_version (
  -- Name of the table that changed.
  of_table text primary key,
  version bigint not null default 0
);
insert into notify_version (of_table) values ('silence'), ('on_call_override');

create function count_notify_changes() returns trigger language plpgsql as $$
begin
  update notify_version set version = version + 1 + floor(random() * 1000000)::bigint where of_table = tg_table_name;
  return null;
end $$;
-- In which order overrides were made: a later one is of what those before it left.
alter table on_call_override add made bigint;
update on_call_override o set made = x.place
  from (select id, row_number() over (order by created_us, id) as place from on_call_override) x where x.id = o.id;
alter table on_call_override alter made set not null;
alter table on_call_override alter made add generated always as identity;
select setval(pg_get_serial_sequence('on_call_override', 'made'), (select coalesce(max(made), 0) + 1 from on_call_override), false);

create trigger count_silences after insert or update or delete on silence
  for each statement execute function count_notify_changes();
create trigger count_overrides after insert or update or delete on on_call_override
  for each statement execute function count_notify_changes();
