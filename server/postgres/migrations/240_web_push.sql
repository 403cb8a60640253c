-- The key by which push services know the installation, where the environment has none: made when the first browser asks.
create table web_push_key (
  only_row boolean primary key default true check (only_row),
  private_key bytea not null,
  made_us bigint not null
);

-- Browsers that are told of alerts. Whoever knows an endpoint and its keys can write to the browser: they are never shown.
create table web_push_subscription (
  id uuid primary key default gen_random_uuid(),
  endpoint text not null unique,
  p256dh text not null,
  auth text not null,
  label text not null,
  -- Who made it: the name for people, and what tells one caller from all others.
  caller text not null,
  caller_key text not null,
  -- Of the token, whose end is the subscription's.
  token_id text,
  sensor_prefix text not null,
  created_us bigint not null,
  renewed_us bigint not null,
  success_us bigint
);
create index web_push_subscription_caller on web_push_subscription (caller_key);
