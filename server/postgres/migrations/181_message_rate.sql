-- Receivers that get at most so many messages a minute.

-- Tells of several groups: it keeps its place among all messages to its channel, not only among those of a group.
alter table notify_delivery add merged boolean not null default false;
create index notify_delivery_merged on notify_delivery (receiver, channel_key, id) where state = 1 and merged;
create index notify_delivery_of_channel on notify_delivery (receiver, channel_key, id) where state = 1;
-- How many a receiver got lately.
create index notify_delivery_created on notify_delivery (receiver, created_us);
