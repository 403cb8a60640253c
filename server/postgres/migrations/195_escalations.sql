-- Groups of receivers that are told while nobody acknowledges, and who takes over from whom.

-- Name of the escalation and number of its step; null for the groups of the routes' own receivers.
alter table notify_group add escalation jsonb;
-- When it took its routes: of those that are open already, now.
alter table notify_alert add since_us bigint not null default (extract(epoch from now()) * 1000000)::bigint;
alter table notify_alert alter since_us drop default;

create table on_call_override (
  id uuid primary key default gen_random_uuid(),
  schedule text not null,
  receiver text not null,
  -- '' for everybody of the schedule.
  replaces text not null,
  starts_us bigint not null,
  ends_us bigint not null,
  author text not null,
  comment text not null,
  created_us bigint not null,
  updated_us bigint not null
);
