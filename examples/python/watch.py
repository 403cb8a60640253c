"""Python with grpcio: streams readings of one sensor and is told of the alert that the last one raises.

    pip install -r examples/python/requirements.txt
    npx buf generate --template buf.gen.clients.yaml
    TELLTALE_GRPC=127.0.0.1:50051 PYTHONPATH=examples/python/gen python examples/python/watch.py [sensor-id]
"""

import math
import os
import sys
import threading
import time

import grpc
from telltale.v1 import ingest_pb2, ingest_pb2_grpc, reading_pb2, watch_pb2, watch_pb2_grpc

SENSOR = sys.argv[1] if len(sys.argv) > 1 else "example-python"
ADDRESS = os.environ.get("TELLTALE_GRPC", "127.0.0.1:50051").removeprefix("http://")


def batches(settled: threading.Event):
    """48 steady readings, then a jump; the stream stays open until all are settled."""
    epoch = time.time_ns() // 1_000_000
    for i in range(49):
        value = 20 + 0.1 * math.sin(i * 2.4) if i < 48 else 30.0
        reading = reading_pb2.Reading(sensor_id=SENSOR, sensor_type="temperature", value=value, unit="C")
        yield ingest_pb2.StreamReadingsRequest(producer=SENSOR, epoch=epoch, sequence=i + 1, readings=[reading])
    settled.wait()


def send(channel: grpc.Channel) -> None:
    settled = threading.Event()
    for response in ingest_pb2_grpc.IngestServiceStub(channel).StreamReadings(batches(settled)):
        if response.settled_sequence == 49:
            print("49 readings settled", flush=True)
            settled.set()


def main() -> None:
    with grpc.insecure_channel(ADDRESS) as channel:
        events = watch_pb2_grpc.WatchServiceStub(channel).WatchAlerts(watch_pb2.WatchAlertsRequest(sensor_id=SENSOR))
        next(events)  # the first response says that the watch is in place
        sender = threading.Thread(target=send, args=(channel,))
        sender.start()
        for response in events:
            if response.event.type == watch_pb2.ALERT_EVENT_TYPE_OPENED:
                print(f"alert: {response.event.alert.message}", flush=True)
                break
        sender.join()
        events.cancel()


if __name__ == "__main__":
    main()
