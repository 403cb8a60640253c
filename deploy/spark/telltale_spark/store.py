"""Writes windows to PostgreSQL. Doing it again changes nothing: a window is known by its key, and the newest figures stay."""

from collections.abc import Iterator

import psycopg
import pyarrow as pa

COLUMNS = "kind, key, width_s, slide_s, started_at, readings, mean, smallest, largest, deviation, anomalies"
VALUES = COLUMNS.split(", ")[5:]

UPSERT = f"""
insert into window_stats ({COLUMNS}) select {COLUMNS} from incoming order by kind, key, width_s, started_at
on conflict (kind, key, width_s, slide_s, started_at) do update set
  {", ".join(f"{name} = excluded.{name}" for name in VALUES)}
"""


def upsert(database_url: str, batches: Iterator[pa.RecordBatch]) -> int:
    """Stores all rows, columns as in COLUMNS, in one transaction; answers with their number."""
    rows = 0
    with psycopg.connect(database_url) as store:
        store.execute("create temporary table incoming (like window_stats) on commit drop")
        with store.cursor().copy(f"copy incoming ({COLUMNS}) from stdin") as copy:
            for batch in batches:
                rows += batch.num_rows
                for row in zip(*(column.to_pylist() for column in batch.columns)):
                    copy.write_row(row)
        if rows > 0:
            store.execute(UPSERT)
    return rows
