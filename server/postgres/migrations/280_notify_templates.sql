-- Files of templates that a configuration names: an array of {path, text}.
alter table notify_config add column templates jsonb not null default '[]';
