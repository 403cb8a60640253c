-- Sessions of browsers in the console. The credential itself is in the browser's cookie, sealed; here is only what it takes to end a session
-- before its time, by whichever replica.
create table console_session (
  id text primary key,
  -- Who began it: the name for people, and what tells one caller from all others.
  caller text not null,
  caller_key text not null,
  -- What the browser calls itself.
  browser text not null,
  begun_at timestamptz not null default now(),
  -- To the minute.
  last_used_at timestamptz not null default now(),
  ends_at timestamptz not null,
  -- Signed out, or ended by somebody else.
  ended_at timestamptz
);
create index console_session_ends on console_session (ends_at);
create index console_session_caller on console_session (caller_key);
