-- Open alerts go by a sensor's new id at once: their messages, and what notifications know of them.

-- The sentence of an alert with another id of its sensor in it (`server/detect/message.ts`); as it is where it does not name the one of before.
create function renamed_message(message text, of_type text, old_name text, new_name text) returns text language sql immutable as $$
  select coalesce((
    select overlay(message placing new_name from place + length(lead) for length(old_name))
    from (values (': no data from '), (': sensor '), (': ' || of_type || ' of ')) as l(lead)
      cross join lateral position(lead || old_name || ' ' in message) as place
    where place > 0 order by place limit 1), message)
$$;

-- The sentence with the id that is shown, whichever of the sensor's ids is in it.
create function shown_message(message text, of_type text, of_key text) returns text language sql stable as $$
  select coalesce((
    select renamed_message(message, of_type, n.name, sensor_shown(of_key)) from sensor_name n
    where n.key = of_key collate "C" and position(' ' || n.name || ' ' in message) > 0
    order by length(n.name) desc limit 1), message)
$$;

-- As before, and the message, which a scorer that has not heard of a rename has made, under the name of the sensor.
create or replace function put_alerts(alerts jsonb) returns void language sql as $$
  insert into alert as a (id, partition, sensor_id, sensor_type, alert_type, severity, message, score, value, threshold, opened_us,
      last_seen_us, closed_us, acknowledged_us, acknowledged_by, resolved_by, state, readings, detector, confidence, expected,
      model_version)
    select id, partition, sensor_shown(sensor_id), sensor_type, alert_type, severity, shown_message(message, sensor_type, sensor_id),
      score, value, threshold, opened_us, last_seen_us, closed_us, acknowledged_us, acknowledged_by, resolved_by, state, readings,
      detector, confidence, expected, model_version
    from jsonb_to_recordset(alerts) as x(id bigint, partition int, sensor_id text, sensor_type text, alert_type text,
      severity smallint, message text, score double precision, value double precision, threshold double precision, opened_us bigint,
      last_seen_us bigint, closed_us bigint, acknowledged_us bigint, acknowledged_by text, resolved_by text, state smallint,
      readings bigint, detector text, confidence double precision, expected double precision, model_version text)
    on conflict (id) do update set partition = excluded.partition, sensor_id = excluded.sensor_id,
      sensor_type = excluded.sensor_type, alert_type = excluded.alert_type, severity = excluded.severity,
      message = excluded.message, score = excluded.score, value = excluded.value, threshold = excluded.threshold,
      opened_us = excluded.opened_us, last_seen_us = excluded.last_seen_us, closed_us = excluded.closed_us,
      acknowledged_us = excluded.acknowledged_us, acknowledged_by = excluded.acknowledged_by, resolved_by = excluded.resolved_by,
      state = excluded.state, readings = excluded.readings, detector = excluded.detector, confidence = excluded.confidence,
      expected = excluded.expected, model_version = excluded.model_version
$$;

-- As before, with their messages.
create or replace function rename_alerts(of_partition int, old_name text, new_name text, closed_only boolean) returns void
language sql as $$
  update alert a set sensor_id = new_name, message = renamed_message(a.message, a.sensor_type, old_name, new_name)
    where a.sensor_id = old_name and a.partition = of_partition and (a.state <> 1 or not closed_only) and not exists (
      select from sensor_deletion d where d.finished_us is null and d.sensor_id = old_name collate "C"
        and d.partition = of_partition and a.id < d.first_id)
$$;

-- What notifications keep of an alert of ours is called as the sensor is when it is written. A rename waits for those that are being written,
-- and the other way round, so that none is missed.
create function lock_notified_names() returns trigger language plpgsql as $$
begin
  perform pg_advisory_xact_lock_shared(7351909419);
  return null;
end $$;
create trigger notify_alert_names before insert or update on notify_alert
  for each statement execute function lock_notified_names();

create function show_notified_alert() returns trigger language plpgsql as $$
declare
  old_name text := new.alert->'labels'->>'sensor_id';
  new_name text;
  notes jsonb := coalesce(new.alert->'annotations', '{}');
begin
  select sensor_shown(n.key) into new_name from sensor_name n where n.name = old_name collate "C" and not n.current;
  if new_name is null or new_name = old_name then return new; end if;
  if starts_with(notes->>'summary', old_name || ' ') then
    notes := jsonb_set(notes, '{summary}', to_jsonb(new_name || substr(notes->>'summary', length(old_name) + 1)));
  end if;
  if notes ? 'description' then
    notes := jsonb_set(notes, '{description}', to_jsonb(renamed_message(
      notes->>'description', coalesce(new.alert->'labels'->>'sensor_type', ''), old_name, new_name)));
  end if;
  new.alert := jsonb_set(jsonb_set(new.alert, '{labels,sensor_id}', to_jsonb(new_name)), '{annotations}', notes);
  return new;
end $$;
-- Ids of received alerts, whose labels are their senders' own, are those from 2^53 - 2^42 on; of channels that do not deliver, below 1.
create trigger show_notified_alert before insert or update on notify_alert
  for each row when (new.alert_id between 1 and 9002801208229887 and new.alert->>'status' = 'firing')
  execute function show_notified_alert();

-- As before; open alerts are called by the new name where notifications are decided, too.
create or replace function rename_sensor(of_key text, of_partition int, new_name text, at_us bigint, by_whom text) returns void
language plpgsql as $$
declare
  old_name text;
begin
  -- Profiles that are being edited, and other renames.
  perform pg_advisory_xact_lock(7351909410);
  select name into old_name from sensor_name where key = of_key collate "C" and current;
  if old_name = new_name then return; end if;
  if exists (select from series where sensor_id = new_name) or exists (
    select from sensor_profile where sensor_id = new_name collate "C") then
    raise exception 'taken' using errcode = 'TT004';
  end if;
  perform rename_alerts(of_partition, old_name, new_name, true);

  -- Series that are being added, then commits: neither takes the one lock while it has the other.
  perform pg_advisory_xact_lock(7351909417);
  perform 1 from log_partition where partition = of_partition for update;
  if not exists (select from sensor_name where key = of_key collate "C" and name = old_name collate "C" and current) or not exists (
    select from sensor_name where key = of_key collate "C" and name = new_name collate "C") then
    raise exception 'gone' using errcode = 'TT004';
  end if;
  if exists (select from series where sensor_id = new_name) then raise exception 'taken' using errcode = 'TT004'; end if;
  perform rename_alerts(of_partition, old_name, new_name, false);
  update series set sensor_id = new_name where sensor_id = old_name and partition = of_partition;
  update sensor_profile p set sensor_id = new_name, changed = pg_current_xact_id()
    where p.sensor_id = old_name collate "C" and not exists (
      select from sensor_deletion d where d.finished_us is null and d.sensor_id = p.sensor_id and p.changed <= d.changed);
  delete from sensor_attributes where sensor_id = new_name collate "C";
  update sensor_attributes a set sensor_id = new_name, changed = pg_current_xact_id()
    where a.sensor_id = old_name collate "C" and not exists (
      select from sensor_deletion d where d.finished_us is null and d.sensor_id = a.sensor_id and a.changed <= d.changed);
  delete from sensor_retirement where sensor_id = new_name collate "C";
  update sensor_retirement set sensor_id = new_name, changed = pg_current_xact_id() where sensor_id = old_name collate "C";

  update sensor_name set current = false, changed = pg_current_xact_id() where key = of_key collate "C" and current;
  update sensor_name set current = true, named_us = at_us, named_by = by_whom, changed = pg_current_xact_id()
    where name = new_name collate "C";

  -- Whoever decides notifications loads them again, since the writer is nobody; he takes that row first, as is done here.
  if exists (select from alert where sensor_id = new_name and state = 1) then
    update notify_writer set writer = gen_random_uuid();
    perform pg_advisory_xact_lock(7351909419);
    update notify_alert set alert = alert where alert_id in (select id from alert where sensor_id = new_name and state = 1);
  end if;
end $$;
