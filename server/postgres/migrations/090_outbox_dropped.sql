-- Alert events that a receiver of the outbox can never take: its cursor has gone past them.
create table outbox_dropped (
  sink text not null,
  partition int not null,
  number bigint not null,
  alert_id bigint not null,
  reason text not null,
  dropped_at timestamptz not null default now(),
  primary key (sink, partition, number)
);
