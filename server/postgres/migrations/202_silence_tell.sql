-- Whom a silence tells before it ends, and at its end what it hid.
alter table silence
  -- A receiver of the configuration; empty: nobody.
  add column tell text not null default '',
  -- How long before the end.
  add column tell_before_us bigint not null default 0,
  -- The end of which somebody was told ahead: of a later one he is told again.
  add column told_end_us bigint,
  add column is_reported boolean not null default false;
create index silence_to_tell on silence (ends_us) where tell <> '' and not is_reported;
