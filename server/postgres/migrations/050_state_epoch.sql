-- Counts how often a partition's saved state was replaced as a whole. A commit names it: whoever worked with the state before fails.
alter table log_partition add column state_epoch int not null default 0;
