"""Streaming job: readings of the log in Kafka to aggregates over windows of event time in PostgreSQL.

For each sensor, sensor type and location: count, mean, smallest, largest, standard deviation and anomalies, over windows that
tumble and windows that slide. Each reading counts once, however often it was sent; ended at any moment and started again, the
job continues from its checkpoint and the tables hold what they would have held.
"""

import json
import sys
from collections.abc import Iterator

import psycopg
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.listener import StreamingQueryListener

from telltale_spark.anomalies import flag, set_aside, wait_until_stored
from telltale_spark.records import decode
from telltale_spark.settings import BadSetting, Settings, load
from telltale_spark.store import upsert

DECODED = (
    "sensor_id string, sensor_type string, location string, observed_us bigint, identity bigint, value double, anomaly int"
)
# Kafka records handed to Python at once. A record is at most 6 MiB and mostly some kilobytes.
RECORDS_AT_ONCE = 512
BYTES_AT_ONCE = 16 * 1024 * 1024


def session() -> SparkSession:
    return (
        SparkSession.builder.appName("telltale-windows")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", RECORDS_AT_ONCE)
        .config("spark.sql.execution.arrow.maxBytesPerBatch", BYTES_AT_ONCE)
        # Identities within the watermark are many: on disk, not on the heap.
        .config(
            "spark.sql.streaming.stateStore.providerClass",
            "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider",
        )
        .config("spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled", "true")
        .getOrCreate()
    )


def readings(settings: Settings, log: DataFrame) -> DataFrame:
    """Columns of DECODED: what the records hold, in their order, with what the platform found of it."""
    database_url = settings.database_url

    def of_partition(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with psycopg.connect(database_url, autocommit=True) as store:
            for batch in batches:
                if batch.num_rows == 0:
                    continue
                partitions, offsets, values = (batch.column(i).to_pylist() for i in range(3))
                found = decode(zip(partitions, offsets, values))
                # A task reads one partition of the log, so its last record is the newest.
                wait_until_stored(store, partitions[-1], offsets[-1], found.received_us)
                left_out = set_aside(store, partitions[-1], offsets[0], offsets[-1])
                yield flag(store, found.batch(left_out))

    return log.select("partition", "offset", "value").mapInArrow(of_partition, DECODED)


def windows(settings: Settings, found: DataFrame) -> DataFrame:
    """One row for each window and key. A sliding window moves by the width of a tumbling one and begins with one: a single
    pass makes both."""
    once = (
        found.withColumn("observed_at", F.timestamp_micros("observed_us"))
        .withWatermark("observed_at", f"{settings.watermark_s} seconds")
        .dropDuplicatesWithinWatermark(["sensor_id", "identity"])
    )
    keys = F.array(
        F.struct(F.lit("sensor").alias("kind"), F.col("sensor_id").alias("key")),
        F.struct(F.lit("type").alias("kind"), F.col("sensor_type").alias("key")),
        F.struct(F.lit("location").alias("kind"), F.col("location").alias("key")),
    )
    head = f"FILTER (WHERE observed_at < w.start + INTERVAL {settings.tumbling_s} SECONDS)"
    figures = {
        "readings": "count(value)",
        "mean": "avg(value)",
        "smallest": "min(value)",
        "largest": "max(value)",
        "deviation": "stddev_samp(value)",
        "anomalies": "sum(anomaly)",
    }
    return (
        once.withColumn("of", F.explode(keys))
        .where("of.key is not null")
        .withColumn("w", F.window("observed_at", f"{settings.sliding_s} seconds", f"{settings.tumbling_s} seconds"))
        .groupBy("w", "of")
        .agg(
            *(F.expr(e).alias(f"sliding_{name}") for name, e in figures.items()),
            *(F.expr(f"{e} {head}").alias(f"tumbling_{name}") for name, e in figures.items()),
        )
    )


def rows(settings: Settings, found: DataFrame) -> DataFrame:
    """The columns of the table, a row for each window."""
    names = ("readings", "mean", "smallest", "largest", "deviation", "anomalies")

    def column(form: str, name: str):
        found = F.col(f"{form}_{name}")
        # Sums may overflow: a mean lies between the extremes, and a deviation that is no number is left out.
        if name == "mean":
            found = F.greatest(F.least(found, F.col(f"{form}_largest")), F.col(f"{form}_smallest"))
        elif name == "deviation":
            found = F.when(~F.isnan(found) & (found != float("inf")), found)
        return found.alias(name)

    def of(form: str, width_s: int) -> DataFrame:
        return found.where(f"{form}_readings > 0").select(
            "of.kind",
            "of.key",
            F.lit(width_s).alias("width_s"),
            F.lit(settings.tumbling_s).alias("slide_s"),
            F.col("w.start").alias("started_at"),
            *(column(form, name) for name in names),
        )

    tumbling = of("tumbling", settings.tumbling_s)
    if settings.sliding_s == settings.tumbling_s:
        return tumbling
    return tumbling.unionAll(of("sliding", settings.sliding_s))


def write(settings: Settings):
    database_url = settings.database_url

    def store(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pydict({"rows": pa.array([upsert(database_url, batches)], pa.int64())})

    def of_batch(found: DataFrame, _: int) -> None:
        found.persist()
        try:
            rows(settings, found).mapInArrow(store, "rows bigint").collect()
        finally:
            found.unpersist()

    return of_batch


class Progress(StreamingQueryListener):
    """A line of JSON for each micro-batch."""

    def onQueryStarted(self, event) -> None:
        print(json.dumps({"event": "started", "run": str(event.runId)}), flush=True)

    def onQueryProgress(self, event) -> None:
        p = event.progress
        print(
            json.dumps(
                {
                    "event": "progress",
                    "batch": p.batchId,
                    "records": p.numInputRows,
                    "watermark": p.eventTime.get("watermark"),
                    "late": sum(s.numRowsDroppedByWatermark for s in p.stateOperators),
                    "state_rows": [s.numRowsTotal for s in p.stateOperators],
                    "ms": dict(p.durationMs),
                }
            ),
            flush=True,
        )

    def onQueryIdle(self, event) -> None:
        pass

    def onQueryTerminated(self, event) -> None:
        print(json.dumps({"event": "ended", "error": event.exception}), flush=True)


def run(settings: Settings) -> None:
    spark = session()
    spark.streams.addListener(Progress())
    log = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", settings.kafka)
        .option("subscribe", settings.topic)
        .option("startingOffsets", "earliest")
        .option("maxOffsetsPerTrigger", settings.records_per_batch)
        .load()
    )
    stream = (
        windows(settings, readings(settings, log))
        .writeStream.outputMode("update")
        .foreachBatch(write(settings))
        .option("checkpointLocation", settings.checkpoint)
    )
    query = (
        stream.trigger(availableNow=True) if settings.once else stream.trigger(processingTime=f"{settings.trigger_s} seconds")
    ).start()
    query.awaitTermination()
    spark.stop()


def main() -> int:
    try:
        run(load())
    except BadSetting as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
