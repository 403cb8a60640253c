"""Writes the same readings as Parquet and Arrow by pyarrow, pandas and polars, in as many ways as these have, into a folder."""

import datetime as dt
import sys
from decimal import Decimal

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

folder = sys.argv[1]
ROWS = 3000
START = dt.datetime(2026, 1, 5, tzinfo=dt.timezone.utc)
times = [START + dt.timedelta(seconds=i, microseconds=i) for i in range(ROWS)]
# Every seventh value is missing; the others are exact in single precision.
values = [None if i % 7 == 3 else i / 4 for i in range(ROWS)]
sensors = [f"s{i % 3} °" for i in range(ROWS)]
unread = [[i, i + 1] for i in range(ROWS)]
plain = pa.table(
    {
        "sensor_id": pa.array(sensors),
        "time": pa.array(times, pa.timestamp("us", "UTC")),
        "value": pa.array(values, pa.float64()),
        "tags": pa.array(unread, pa.list_(pa.int32())),
        "blob": pa.array([b"\xff\xfe"] * ROWS, pa.binary()),
        "unit": pa.array(["°C"] * ROWS),
    }
)


def path(name):
    return f"{folder}/{name}"


for codec in ["none", "snappy", "gzip", "brotli", "lz4", "zstd"]:
    pq.write_table(plain, path(f"pyarrow-{codec}.parquet"), compression=codec, row_group_size=1000)
pq.write_table(plain, path("pyarrow-v2.parquet"), data_page_version="2.0", compression="zstd", data_page_size=2000)
pq.write_table(plain, path("pyarrow-plain.parquet"), use_dictionary=False, write_statistics=False)
pq.write_table(plain, path("pyarrow-pages.parquet"), data_page_size=500, write_batch_size=64, dictionary_pagesize_limit=200)
flat = plain.drop_columns(["tags", "blob"])
encodings = {"sensor_id": "DELTA_BYTE_ARRAY", "time": "DELTA_BINARY_PACKED", "value": "BYTE_STREAM_SPLIT"}
pq.write_table(
    flat, path("pyarrow-encodings.parquet"), use_dictionary=False, column_encoding={**encodings, "unit": "DELTA_LENGTH_BYTE_ARRAY"}
)
frame = pd.DataFrame({"sensor_id": sensors, "value": values, "unit": "°C"}, index=pd.DatetimeIndex(times, name="time"))
frame.to_parquet(path("pandas-index.parquet"))
frame.reset_index().to_feather(path("pandas.feather"))
frame.reset_index().astype({"sensor_id": "category"}).to_parquet(path("pandas-category.parquet"))
lazy = pl.DataFrame({"sensor_id": sensors, "time": times, "value": values, "unit": ["°C"] * ROWS})
lazy.write_parquet(path("polars.parquet"))
lazy.with_columns(pl.col("sensor_id").cast(pl.Categorical)).write_parquet(path("polars-category.parquet"), compression="lz4")
lazy.write_ipc(path("polars.arrow"))
lazy.write_ipc(path("polars-zstd.arrow"), compression="zstd")
lazy.write_ipc_stream(path("polars-stream.arrow"), compression="lz4")
lazy.with_columns(pl.col("sensor_id").cast(pl.Categorical)).write_ipc_stream(path("polars-category.arrow"))

encoded = plain.set_column(0, "sensor_id", plain["sensor_id"].dictionary_encode())
for name, table, options in [
    ("pyarrow", plain, ipc.IpcWriteOptions()),
    ("pyarrow-dictionary", encoded, ipc.IpcWriteOptions()),
    ("pyarrow-zstd", encoded, ipc.IpcWriteOptions(compression="zstd")),
    ("pyarrow-lz4", plain, ipc.IpcWriteOptions(compression="lz4")),
]:
    with ipc.new_stream(path(f"{name}-stream.arrow"), table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=700)
    with ipc.new_file(path(f"{name}-file.arrow"), table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=1100)
views = flat.set_column(0, "sensor_id", flat["sensor_id"].cast(pa.string_view()))
with ipc.new_stream(path("pyarrow-view-stream.arrow"), views.schema) as writer:
    writer.write_table(views)
large = flat.set_column(0, "sensor_id", flat["sensor_id"].cast(pa.large_string()))
with ipc.new_stream(path("pyarrow-large-stream.arrow"), large.schema) as writer:
    writer.write_table(large)
feather.write_feather(flat, path("pyarrow.feather"))

# The types of times and numbers, a column each.
moment = dt.datetime(2026, 3, 1, 12, 30, 15, 123456)
typed = {
    "t_s": pa.array([moment], pa.timestamp("us")).cast(pa.timestamp("s"), safe=False),
    "t_ms": pa.array([moment], pa.timestamp("us")).cast(pa.timestamp("ms"), safe=False),
    "t_us": pa.array([moment], pa.timestamp("us")),
    "t_ns": pa.array([moment], pa.timestamp("ns")),
    "t_us_zone": pa.array([moment.replace(tzinfo=dt.timezone.utc)], pa.timestamp("us", "Europe/Berlin")),
    "t_date": pa.array([moment.date()], pa.date32()),
    "t_date64": pa.array([moment.date()], pa.date64()),
    "t_epoch": pa.array([1_772_368_215_123], pa.int64()),
    "t_text": pa.array(["2026-03-01T12:30:15.123456"]),
    "n_i8": pa.array([-8], pa.int8()),
    "n_i16": pa.array([-16], pa.int16()),
    "n_i32": pa.array([-32], pa.int32()),
    "n_i64": pa.array([-(2**53)], pa.int64()),
    "n_i64_exact": pa.array([2**60], pa.int64()),
    "n_i64_inexact": pa.array([2**53 + 1], pa.int64()),
    "n_u8": pa.array([200], pa.uint8()),
    "n_u16": pa.array([60_000], pa.uint16()),
    "n_u32": pa.array([4_000_000_000], pa.uint32()),
    "n_u64": pa.array([2**63], pa.uint64()),
    "n_half": pa.array([1.5], pa.float16()),
    "n_float": pa.array([0.25], pa.float32()),
    "n_double": pa.array([0.1], pa.float64()),
    "n_decimal": pa.array([Decimal("-123.4567890123456789")], pa.decimal128(30, 16)),
    "n_decimal_small": pa.array([Decimal("12.34")], pa.decimal128(6, 2)),
    "n_decimal_256": pa.array([Decimal("12345678901234567890.5")], pa.decimal256(60, 1)),
    "n_nan": pa.array([float("nan")], pa.float64()),
    "n_infinite": pa.array([float("inf")], pa.float64()),
    "n_flag": pa.array([True], pa.bool_()),
    "n_text": pa.array(["1.5"]),
    "n_null": pa.array([None], pa.null()),
}
types = pa.table(typed)
pq.write_table(types, path("types.parquet"))
pq.write_table(types.select(["t_ms", "t_us", "t_ns", "n_double"]), path("types-int96.parquet"), use_deprecated_int96_timestamps=True)
pq.write_table(types, path("types-integers.parquet"), store_decimal_as_integer=True)
with ipc.new_stream(path("types.arrow"), types.schema) as writer:
    writer.write_table(types)
dates = pa.table(
    {
        "date": pa.array([moment.date()] * 2, pa.date32()),
        "time": pa.array([moment.time(), None], pa.time64("us")),
        "value": pa.array([1.0, 2.0]),
    }
)
pq.write_table(dates, path("types-clock.parquet"))
feather.write_feather(dates.set_column(0, "date", dates["date"].cast(pa.date64())), path("types-clock.feather"))
wide = pa.table({"time": pa.array(times), "pump-1 [bar]": pa.array(values), "pump-2": pa.array(range(ROWS), pa.int32())})
pq.write_table(wide, path("wide.parquet"))
feather.write_feather(wide, path("wide.feather"))
