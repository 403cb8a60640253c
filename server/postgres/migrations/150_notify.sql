-- Notifications. Written by the one process that holds the lock of notifications, but for configuration, silences and tests.

-- How alerts are routed: the file as it was applied, and what it was before.
create table notify_config (
  revision bigint primary key,
  text text not null,
  applied_us bigint not null,
  applied_by text not null
);

create table silence (
  id uuid primary key default gen_random_uuid(),
  -- An array of {name, operator, value}.
  matchers jsonb not null,
  -- Only sensors whose id begins so.
  sensor_prefix text collate "C" not null,
  author text not null,
  comment text not null,
  starts_us bigint not null,
  ends_us bigint not null,
  created_us bigint not null,
  updated_us bigint not null
);
create index silence_by_end on silence (ends_us);

-- Alerts that are open, or of which somebody is still to hear that they are over.
create table notify_alert (
  alert_id bigint primary key,
  alert jsonb not null,
  -- Keys of the groups that it is in.
  groups jsonb not null
);

-- Whoever loaded alerts and groups last. One row: a process whose state somebody else has gone on from finds out by it.
create table notify_writer (
  only_row boolean primary key default true check (only_row),
  writer uuid not null
);

create table notify_group (
  key text collate "C" primary key,
  route text not null,
  receiver text not null,
  labels jsonb not null,
  -- When it is looked at next.
  next_us bigint not null,
  -- Of the last message.
  sequence bigint not null,
  -- What each channel was told last, and when.
  told jsonb not null
);

-- A message to one channel of a receiver.
create table notify_delivery (
  id bigint generated always as identity primary key,
  key text collate "C" not null,
  group_key text collate "C" not null,
  sequence bigint not null,
  receiver text not null,
  -- Its place among the receiver's channels, and its kind.
  channel int not null,
  -- Which one it is, by where it sends: a change of the configuration moves channels to other places.
  channel_key text not null,
  kind text not null,
  message jsonb not null,
  -- 1: queued, 2: sent, 3: failed for good.
  state smallint not null,
  attempts int not null default 0,
  -- While it is queued: when it is tried next.
  next_us bigint not null,
  reason text not null default '',
  created_us bigint not null,
  done_us bigint,
  unique (key, channel)
);
create index notify_delivery_queued on notify_delivery (group_key, channel, sequence) where state = 1;
-- Whatever is due is found among any number of messages that wait.
create index notify_delivery_due on notify_delivery (next_us, id) where state = 1;
create index notify_delivery_of_alert on notify_delivery using gin ((message->'alerts') jsonb_path_ops);
create index notify_delivery_done on notify_delivery (done_us) where state <> 1;
