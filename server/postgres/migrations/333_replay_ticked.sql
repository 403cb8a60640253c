-- Where rebuilding a partition's state begins, it is known when the log's newest time record before was: whether the log stood still until the
-- next one decides what counts as silence. Null: a former version has stored the row, or nothing is stored yet; 0: there was none.
alter table log_partition add column replay_ticked_us bigint;

-- store_commit as before (210 says why its statements are planned once, and by indexes), but for that column. A former version that commits
-- leaves null there; one that saves state without a commit leaves what was there, and at worst deadlines of silence move once too often.
--
-- What a run of log records changes, of one partition or several, but for the blocks and the state, which come by COPY in the same
-- transaction. One call instead of a statement for each table: a commit of few readings costs what its statements cost.
--
-- Fails with TT001 where a partition is not at the offset and the epoch that its owner knows (hint: the partition, detail: its offset), and
-- with TT002 where blocks go to another generation by now (detail: which).
create or replace function store_commit(
  -- The generation that blocks are for; null where there are none.
  generation int,
  -- Of each partition: expected (the offset before) and the columns of log_partition after; readings, anomalies and late are added.
  partitions jsonb,
  -- Changes of series, in columns; last_times is -1 where all readings were late. Null: counts are 1; flagged, belated and last_scores 0;
  -- last_anomalies false; smallests, largests and last_values as totals; firsts and last_times as newests.
  ids int[], counts int[], totals double precision[], smallests double precision[], largests double precision[],
  flagged int[], belated int[], firsts bigint[], newests bigint[],
  last_times bigint[], last_ids bigint[], last_values double precision[], last_scores int[], last_anomalies boolean[],
  -- What most commits have nothing of, rows by table; bytes in hexadecimal. Null where there is nothing.
  rest jsonb
) returns void language plpgsql
  set plan_cache_mode = force_generic_plan
  set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
as $$
declare
  p record;
  found_number bigint;
begin
  -- The log makes a commit repeatable, so it need not wait for the disk: after a crash of the database the offset goes back with
  -- everything else, and the same records give the same rows.
  perform set_config('synchronous_commit', 'off', true);
  -- In the order of their numbers: two owners of the same partitions wait for each other in one order only.
  for p in
    select * from jsonb_to_recordset(partitions) as x(partition int, expected bigint, state_epoch int, next_offset bigint,
      replay_offset bigint, replay_tick bigint, replay_received_us bigint, replay_ticked_us bigint, tick bigint, received_us bigint,
      next_event bigint, readings bigint, anomalies bigint, late bigint)
    order by partition
  loop
    update log_partition l set next_offset = p.next_offset, replay_offset = p.replay_offset, replay_tick = p.replay_tick,
        replay_received_us = p.replay_received_us, replay_ticked_us = p.replay_ticked_us, tick = p.tick, received_us = p.received_us,
        next_event = p.next_event,
        readings = l.readings + p.readings, anomalies = l.anomalies + p.anomalies, late = l.late + p.late
      where l.partition = p.partition and l.next_offset = p.expected and l.state_epoch = p.state_epoch;
    if not found then
      select l.next_offset into found_number from log_partition l where l.partition = p.partition;
      raise exception 'partition % is at offset %, not %', p.partition, found_number, p.expected
        using errcode = 'TT001', hint = p.partition, detail = coalesce(found_number, -1);
    end if;
  end loop;
  -- Looked at behind the lock on log_partition, which whoever opens another generation takes from all commits.
  if generation is not null then
    select current into found_number from block_generation;
    if found_number <> generation then
      raise exception 'blocks go to generation %, not %', found_number, generation using errcode = 'TT002', detail = found_number;
    end if;
  end if;

  update series s set readings = s.readings + u.readings,
      total = case when abs(s.total) < 1e307 and abs(u.total) < 1e307 then s.total + u.total else saturated_sum(s.total, u.total) end,
      smallest = least(s.smallest, u.smallest), largest = greatest(s.largest, u.largest),
      anomalies = s.anomalies + u.anomalies, late = s.late + u.late, first_us = least(s.first_us, u.first_us),
      newest_us = greatest(s.newest_us, u.newest_us),
      last_us = case when u.last_us >= 0 then u.last_us else s.last_us end,
      last_id = case when u.last_us >= 0 then u.last_id else s.last_id end,
      last_value = case when u.last_us >= 0 then u.last_value else s.last_value end,
      last_score = case when u.last_us >= 0 then u.last_score else s.last_score end,
      last_anomaly = case when u.last_us >= 0 then u.last_anomaly else s.last_anomaly end
    from (
      select c.id, coalesce(c.readings, 1) as readings, c.total, coalesce(c.smallest, c.total) as smallest,
        coalesce(c.largest, c.total) as largest, coalesce(c.anomalies, 0) as anomalies, coalesce(c.late, 0) as late,
        coalesce(c.first_us, c.newest_us) as first_us, c.newest_us, coalesce(c.last_us, c.newest_us) as last_us, c.last_id,
        coalesce(c.last_value, c.total) as last_value, coalesce(c.last_score, 0) as last_score,
        coalesce(c.last_anomaly, false) as last_anomaly
      from unnest(ids, counts, totals, smallests, largests, flagged, belated, firsts, newests,
          last_times, last_ids, last_values, last_scores, last_anomalies)
        c(id, readings, total, smallest, largest, anomalies, late, first_us, newest_us, last_us, last_id, last_value, last_score, last_anomaly)
    ) u
    where s.id = u.id;

  if rest is null then return; end if;
  if rest ? 'alerts' then perform put_alerts(rest->'alerts'); end if;
  if rest ? 'events' then perform put_alert_events(rest->'events'); end if;
  if rest ? 'metadata' then
    insert into reading_metadata (series, observed_us, struct)
      select x.series, x.observed_us, decode(x.struct, 'hex')
      from jsonb_to_recordset(rest->'metadata') as x(series int, observed_us bigint, struct text)
      on conflict do nothing;
  end if;
  if rest ? 'settings' then
    insert into detector_setting (partition, log_offset, tick, received_us, control)
      select x.partition, x.log_offset, x.tick, x.received_us, decode(x.control, 'hex')
      from jsonb_to_recordset(rest->'settings') as x(partition int, log_offset bigint, tick bigint, received_us bigint, control text);
  end if;
  if rest ? 'labels' then
    update alert a set label = x.label, labelled_us = x.labelled_us, labelled_by = x.labelled_by, label_comment = x.label_comment
      from jsonb_to_recordset(rest->'labels')
        as x(id bigint, label boolean, labelled_us bigint, labelled_by text, label_comment text)
      where a.id = x.id;
  end if;
  if rest ? 'ticks' then
    insert into log_tick (partition, minute, ticks)
      select x.partition, x.minute, decode(x.ticks, 'hex')
      from jsonb_to_recordset(rest->'ticks') as x(partition int, minute bigint, ticks text)
      on conflict (partition, minute) do update set ticks = log_tick.ticks || excluded.ticks;
  end if;
  if rest ? 'outcomes' then
    insert into record_outcome (partition, log_offset, outcome)
      select x.partition, x.log_offset, decode(x.outcome, 'hex')
      from jsonb_to_recordset(rest->'outcomes') as x(partition int, log_offset bigint, outcome text)
      -- What the sender was answered first stays: a record that is set aside when the state is rebuilt has its outcome already.
      on conflict (partition, log_offset) do nothing;
  end if;
  -- Outcomes are kept for the newest records only.
  if rest ? 'forgotten' then
    delete from record_outcome o using jsonb_to_recordset(rest->'forgotten') as x(partition int, before bigint)
      where o.partition = x.partition and o.log_offset < x.before;
  end if;
end $$;
