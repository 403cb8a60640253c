-- Bearer tokens. Of the secret only the SHA-256 is kept: it is 256 random bits, so there is nothing to guess.
create table api_token (
  id text primary key,
  name text not null,
  secret_hash bytea not null,
  -- Bit n for the contract's Scope n.
  scopes int not null,
  sensor_prefix text not null default '',
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz
);

-- Who did what. Rows are added and never changed.
create table audit_event (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  principal text not null,
  action text not null,
  target text not null,
  detail text not null
);

create function audit_is_append_only() returns trigger language plpgsql as $$
begin
  raise exception 'audit_event is append-only';
end
$$;

create trigger audit_event_append_only before update or delete or truncate on audit_event
  for each statement execute function audit_is_append_only();
