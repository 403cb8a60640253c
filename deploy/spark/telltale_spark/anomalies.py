"""Which readings the platform found abnormal, as stored."""

import time

import numpy as np
import psycopg
import pyarrow as pa

from telltale.v1.log_pb2 import Control

# How long the platform may be behind the log before a task gives up (Spark then retries it).
WAIT_S = 300
POLL_S = 0.05
POLL_MOST_S = 1.0

ANOMALIES = """
select w.sensor, a.observed_us
from unnest(%s::text[], %s::bigint[], %s::bigint[]) w(sensor, first_us, last_us)
join series s on s.sensor_id = w.sensor and s.anomalies > 0
cross join lateral (
  select b.data, b.first_us, b.anomalies from block_new b
    where b.series = s.id and b.last_us >= w.first_us and b.first_us <= w.last_us and b.anomalies > 0
  union all
  select b.data, b.first_us, b.anomalies from block b
    where b.series = s.id and b.first_us >= w.first_us - 86400000000 and b.first_us <= w.last_us
      and b.last_us >= w.first_us and b.anomalies > 0
) b
cross join lateral block_anomalies(b.data, b.first_us, b.anomalies) a(observed_us)
where a.observed_us between w.first_us and w.last_us
"""


class Behind(Exception):
    """The platform has not stored the partition as far as the job has read it."""


def longest_hold_us(store: psycopg.Connection, partition: int) -> int:
    """How long readings of the partition may have waited in the reorder buffer, after their record was taken."""
    rows = store.execute("select control from detector_setting where partition = %s", (partition,)).fetchall()
    controls = [Control.FromString(row[0]) for row in rows]
    # Those of any sensor and type: an upper bound.
    configs = [config for control in controls for config in (control.config, control.settings)]
    return max((config.reorder_hold_ms * 1000 for config in configs), default=0)


def wait_until_stored(store: psycopg.Connection, partition: int, offset: int, received_us: int, wait_s: float = WAIT_S) -> None:
    """Returns once every record of the partition up to the offset, which was received then, is scored and stored.

    Raises Behind when time is up.
    """
    hold_us = longest_hold_us(store, partition)
    released_us = received_us + hold_us if hold_us > 0 else 0
    end = time.monotonic() + wait_s
    pause = POLL_S
    while True:
        row = store.execute(
            "select next_offset, received_us from log_partition where partition = %s", (partition,)
        ).fetchone()
        stored, stored_us = row or (0, 0)
        if stored > offset and stored_us > released_us:
            return
        if time.monotonic() > end:
            raise Behind(
                f"partition {partition} of the log is stored up to record {stored - 1}, wanted {offset}: "
                f"no scorer owns it, or it is more than {wait_s:.0f} s behind"
            )
        time.sleep(pause)
        pause = min(2 * pause, POLL_MOST_S)


def set_aside(store: psycopg.Connection, partition: int, first: int, last: int) -> frozenset[tuple[int, int, int]]:
    """What of the records from `first` to `last` the platform has left out: (offset, place of the batch, index)."""
    rows = store.execute(
        "select log_offset, fragment, index from quarantined_reading where partition = %s and log_offset between %s and %s",
        (partition, first, last),
    )
    return frozenset(rows.fetchall())


def flag(store: psycopg.Connection, readings: pa.RecordBatch) -> pa.RecordBatch:
    """The readings with a column `anomaly`: 1 where the platform's score was over the threshold, else 0."""
    sensors = readings.column("sensor_id").dictionary_encode()
    codes = sensors.indices.to_numpy(zero_copy_only=False)
    times = readings.column("observed_us").to_numpy()
    anomaly = np.zeros(len(times), np.int32)
    if len(times) > 0:
        names = sensors.dictionary.to_pylist()
        first = np.full(len(names), np.iinfo(np.int64).max)
        last = np.full(len(names), -1)
        np.minimum.at(first, codes, times)
        np.maximum.at(last, codes, times)
        found = store.execute(ANOMALIES, (names, first.tolist(), last.tolist())).fetchall()
        if found:
            code_of = {name: code for code, name in enumerate(names)}
            wanted = np.array([(code_of[sensor], us) for sensor, us in found], [("c", np.int64), ("t", np.int64)])
            here = np.empty(len(times), wanted.dtype)
            here["c"], here["t"] = codes, times
            anomaly = np.isin(here, wanted).astype(np.int32)
    return readings.append_column("anomaly", pa.array(anomaly))
