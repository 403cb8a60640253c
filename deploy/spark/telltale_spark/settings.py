"""What the environment decides, with the names that the platform uses."""

import os
import re
from dataclasses import dataclass


class BadSetting(Exception):
    """A variable has a value that cannot be used; the message names it, what it has and what it wants."""


@dataclass(frozen=True)
class Settings:
    kafka: str
    topic: str
    database_url: str
    checkpoint: str
    # Widths in seconds; the sliding window moves by the tumbling one's width.
    tumbling_s: int
    sliding_s: int
    # How late a reading may be, in event time, and still count.
    watermark_s: int
    trigger_s: int
    # Records of the log in one micro-batch: what a task holds in memory is bounded by it.
    records_per_batch: int
    # End when everything that was in the log at the start is counted.
    once: bool


def load(environment: dict[str, str] | None = None) -> Settings:
    env = os.environ if environment is None else environment
    tumbling_s = whole(env, "WINDOW_SECONDS", 60, 1, 86_400)
    sliding_s = whole(env, "SLIDING_WINDOW_SECONDS", 5 * tumbling_s, tumbling_s, 86_400)
    if sliding_s % tumbling_s != 0:
        raise BadSetting(f"SLIDING_WINDOW_SECONDS is {sliding_s}; wanted a multiple of WINDOW_SECONDS, {tumbling_s}")
    return Settings(
        kafka=needed(env, "KAFKA_BOOTSTRAP_SERVERS", "the brokers, host:port with commas between"),
        topic=env.get("KAFKA_SENSOR_TOPIC", "sensor-data"),
        # psycopg does not know SQLAlchemy's driver suffix, which the platform takes too.
        database_url=re.sub(
            r"^postgres(ql)?(\+\w+)?://", "postgresql://", needed(env, "DATABASE_URL", "PostgreSQL's address")
        ),
        checkpoint=needed(env, "CHECKPOINT_DIR", "a folder that outlives the job, the same for all of its workers"),
        tumbling_s=tumbling_s,
        sliding_s=sliding_s,
        watermark_s=whole(env, "WATERMARK_SECONDS", 600, 1, 7 * 86_400),
        trigger_s=whole(env, "TRIGGER_SECONDS", 10, 0, 3_600),
        records_per_batch=whole(env, "RECORDS_PER_BATCH", 20_000, 1, 10_000_000),
        once=env.get("ONCE", "") in ("1", "true"),
    )


def needed(env, name: str, what: str) -> str:
    value = env.get(name, "")
    if not value:
        raise BadSetting(f"{name} is not set; wanted {what}")
    return value


def whole(env, name: str, default: int, least: int, most: int) -> int:
    text = env.get(name, "")
    if not text:
        return default
    if not re.fullmatch(r"\d+", text) or not least <= int(text) <= most:
        raise BadSetting(f"{name} is {text!r}; wanted a whole number from {least} to {most}")
    return int(text)
