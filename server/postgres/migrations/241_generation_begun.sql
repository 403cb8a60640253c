-- The age of a generation counts from its first reading, and not from when it was opened: of a platform that had rested for longer, the first
-- reading closed it at once. Set by the first look that finds readings in it; null: there are none yet.
alter table block_generation alter column opened_at drop not null, alter column opened_at drop default;
update block_generation set opened_at = null
  where readings_before = (select coalesce(sum(readings), 0) from log_partition);
