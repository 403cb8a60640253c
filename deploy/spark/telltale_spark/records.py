"""Decodes records of the log into columns of readings."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
import pyarrow as pa
from google.protobuf.message import DecodeError

from telltale.v1.log_pb2 import LogRecord, SeriesKey

RECORD_VERSION = 1
# A larger number is no version of a record but the bytes of something else.
LAST_THINKABLE_VERSION = 64
# In the quarantine, the place of a record as a whole.
WHOLE_RECORD = -2

READINGS = pa.schema(
    [
        ("sensor_id", pa.string()),
        ("sensor_type", pa.string()),
        ("location", pa.string()),
        ("observed_us", pa.int64()),
        # Two readings of a sensor with the same identity are one: its time, or for readings that came without one a
        # negative number made of their place in the sender's batch.
        ("identity", pa.int64()),
        ("value", pa.float64()),
    ]
)


@dataclass
class Readings:
    """Readings of one partition of the log in its order, each (sensor, identity) once: the first stays."""

    sensor_id: list[str] = field(default_factory=list)
    sensor_type: list[str] = field(default_factory=list)
    location: list[str | None] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    times: list[np.ndarray] = field(default_factory=list)
    identities: list[np.ndarray] = field(default_factory=list)
    values: list[np.ndarray] = field(default_factory=list)
    # Offset, place of the batch in its record, and index in the batch of the first reading of each run.
    places: list[tuple[int, int, int]] = field(default_factory=list)
    # Offsets of messages that are no records.
    unreadable: list[int] = field(default_factory=list)
    # The log's time at the last record that has any; 0 where none has.
    received_us: int = 0

    def add(
        self, place: tuple[int, int, int], key: SeriesKey, times: np.ndarray, identities: np.ndarray, values: np.ndarray
    ) -> None:
        self.places.append(place)
        self.sensor_id.append(key.sensor_id)
        self.sensor_type.append(key.sensor_type)
        self.location.append(key.location if key.HasField("location") else None)
        self.counts.append(len(values))
        self.times.append(times)
        self.identities.append(identities)
        self.values.append(values)

    def batch(self, set_aside: frozenset[tuple[int, int, int]] = frozenset()) -> pa.RecordBatch:
        """The columns of READINGS, without what is set aside: (offset, place of the batch, index), or (offset, -2, 0) for a record.
        Rows of a run share their strings: they are repeated only as indices.

        Raises ValueError where a message is no record and is not set aside: whoever stores them has not come to it, or reads it.
        """
        for offset in self.unreadable:
            if (offset, WHOLE_RECORD, 0) not in set_aside:
                raise ValueError(f"record {offset} cannot be read, and it is not in the quarantine")
        runs = np.repeat(np.arange(len(self.counts)), self.counts)
        arrays = [
            pa.array(column, pa.string()).take(pa.array(runs))
            for column in (self.sensor_id, self.sensor_type, self.location)
        ]
        for columns, dtype in ((self.times, np.int64), (self.identities, np.int64), (self.values, np.float64)):
            arrays.append(pa.array(np.concatenate(columns) if columns else np.empty(0, dtype)))
        found = pa.RecordBatch.from_arrays(arrays, schema=READINGS)
        return first_of_each(found.filter(pa.array(self.kept(set_aside))) if set_aside else found)

    def kept(self, set_aside: frozenset[tuple[int, int, int]]) -> np.ndarray:
        kept = [np.ones(count, bool) for count in self.counts]
        for keep, (offset, place, first) in zip(kept, self.places):
            if (offset, WHOLE_RECORD, 0) in set_aside:
                keep[:] = False
            for i in range(len(keep)):
                if (offset, place, first + i) in set_aside:
                    keep[i] = False
        return np.concatenate(kept) if kept else np.empty(0, bool)


def first_of_each(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Drops all but the first row of each sensor and identity; the order stays."""
    sensors = batch.column(0).dictionary_encode().indices.to_numpy(zero_copy_only=False)
    identities = batch.column(4).to_numpy()
    order = np.lexsort((np.arange(len(sensors)), identities, sensors))
    again = np.zeros(len(sensors), bool)
    again[order[1:]] = (np.diff(sensors[order]) == 0) & (np.diff(identities[order]) == 0)
    return batch.filter(pa.array(~again)) if again.any() else batch


def decode(messages: Iterator[tuple[int, int, bytes]]) -> Readings:
    """Readings of messages (partition, offset, bytes) in the order of the log.

    Raises ValueError where a message is a record of a later layout than this program reads.
    """
    readings = Readings()
    keys: dict[bytes, SeriesKey] = {}
    received_us = 0
    for partition, offset, message in messages:
        try:
            record = LogRecord.FromString(message)
        except DecodeError:
            readings.unreadable.append(offset)
            continue
        if not RECORD_VERSION <= record.version <= LAST_THINKABLE_VERSION:
            readings.unreadable.append(offset)
            continue
        if record.version != RECORD_VERSION:
            raise ValueError(
                f"record {offset} of partition {partition} has layout {record.version}, "
                f"this program reads {RECORD_VERSION}: run the newer program"
            )
        # What waits for its time goes by the newest arrival; a reading without a time is of its own record's arrival.
        received_us = max(received_us, record.received_at_us)
        untimed: dict[str, int] = {}
        for place, fragment in enumerate(record.fragments):
            readings.received_us = received_us
            for series in fragment.series:
                key = keys.get(series.key) or keys.setdefault(series.key, SeriesKey.FromString(series.key))
                values = np.array(series.values, np.float64)
                if series.observed_at_us:
                    times = np.array(series.observed_at_us, np.int64)
                    identities = times
                else:
                    before = untimed.get(key.sensor_id, 0)
                    untimed[key.sensor_id] = before + len(values)
                    times = record.received_at_us + before + np.arange(len(values))
                    identities = place_in_batch(partition, offset, place, fragment, series.first_index, len(values))
                readings.add((offset, place, series.first_index), key, times, identities, values)
    return readings


def place_in_batch(partition: int, offset: int, place: int, fragment, first: int, count: int) -> np.ndarray:
    """Identities of readings without a time: of a batch that can be sent again, where they stand in it; else in the log."""
    if fragment.producer and fragment.sequence:
        name = f"{fragment.producer}\0{fragment.epoch}\0{fragment.sequence}"
    else:
        name = f"{partition}\0{offset}\0{place}"
    start = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")
    # Batches hold far fewer than 2^20 readings; 42 bits tell the batches of one sensor apart.
    return -1 - (start >> 22 << 20) - np.arange(first, first + count, dtype=np.int64)
