-- Whose session it is at the identity provider, so that its logout token ends it here.
alter table console_session
  -- The claims `sub` and `sid` of the ID token that it began with; null: it began with another credential, or the provider names no session.
  add column provider_subject text,
  add column provider_sid text;
create index console_session_provider on console_session (provider_subject) where provider_subject is not null;
create index console_session_provider_sid on console_session (provider_sid) where provider_sid is not null;

-- Logout tokens that have counted: each does so once.
create table logout_token (
  jti text primary key,
  -- Afterwards the token is too old to count.
  ends_at timestamptz not null
);
create index logout_token_ends on logout_token (ends_at);
