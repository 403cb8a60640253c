-- Messages that another receiver gets because a channel failed, and channels that fail.

-- Of a message that failed: the receiver that is told instead; '' where there is none.
alter table notify_delivery add fallback_to text not null default '';
-- Of a message that is sent instead of one that failed: its id.
alter table notify_delivery add fallback_of bigint;
create index notify_delivery_fallback on notify_delivery (id) where fallback_of is not null;

-- Channels whose last message was given up, or waits for long. Notifications tell of them like of alerts.
create table notify_broken (
  receiver text collate "C" not null,
  channel_key text not null,
  kind text not null,
  -- Below zero: those of alerts of sensors are above it.
  alert_id bigint generated always as identity (start with -1 increment by -1 maxvalue -1 minvalue -9007199254740991),
  since_us bigint not null,
  reason text not null,
  primary key (receiver, channel_key)
);
