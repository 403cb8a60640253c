-- The key by which links in messages are signed, where the environment has none: made when the first is needed, another once links are revoked.
create table notify_link_key (
  only_row boolean primary key default true check (only_row),
  secret bytea not null,
  made_us bigint not null
);
