"""A load on the platform by locust, for people who come with it: REST and gRPC.

    pip install locust grpcio grpcio-tools
    locust -f test/load_test.py --headless -u 50 -r 10 -t 1m                       REST and gRPC side by side
    locust -f test/load_test.py --headless -u 50 -r 10 -t 1m RestDevice            REST alone
    locust -f test/load_test.py --headless -u 50 -r 10 -t 1m GrpcDevice

Addresses: --host is the HTTP endpoint (default http://127.0.0.1:8000), TELLTALE_URL the gRPC endpoint (default
http://127.0.0.1:50051). With AUTH=on, TELLTALE_TOKEN is a token with the scopes ingest and read. The command
`npm run load` of the platform itself is an open loop with durable and settled delays; locust's users wait for each answer.
"""

import atexit
import importlib
import math
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import gevent
import grpc
import grpc.experimental.gevent
from grpc_tools import protoc
from locust import HttpUser, User, between, constant_throughput, events, task

grpc.experimental.gevent.init_gevent()

ROOT = Path(__file__).resolve().parent.parent
TOKEN = os.environ.get("TELLTALE_TOKEN")
GRPC_URL = os.environ.get("TELLTALE_URL", "http://127.0.0.1:50051")


def generated(name):
    """The classes of a contract, made from its .proto by protoc: nothing generated has to be kept for Python."""
    return importlib.import_module(f"telltale.v1.{name}")


def generate():
    folder = tempfile.mkdtemp(prefix="telltale-locust-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    third_party = [path for path in (ROOT / "third_party").iterdir() if path.is_dir()]
    includes = [ROOT / "proto", *third_party, Path(protoc.__file__).parent / "_proto"]
    files = [*(ROOT / "proto").rglob("*.proto"), *(ROOT / "third_party").rglob("buf/validate/*.proto")]
    arguments = [f"-I{path}" for path in includes] + [f"--python_out={folder}", f"--grpc_python_out={folder}"]
    if protoc.main(["protoc", *arguments, *map(str, files)]) != 0:
        raise RuntimeError("The contracts could not be compiled; protoc has said why.")
    sys.path.insert(0, folder)


generate()
contract = generated("reading_pb2")
ingest = generated("ingest_pb2")
ingest_rpc = generated("ingest_pb2_grpc")
query = generated("query_pb2")
query_rpc = generated("query_pb2_grpc")


@events.init.add_listener
def catch_up_clock(environment, **_kwargs):
    """Compiling the contracts holds the event loop. Its clock is behind by that, and would cut the run's time (-t) short."""
    gevent.get_hub().loop.update_now()


class Device:
    """A sensor with a slow wave and noise. Its name is its own, so that users do not get into each other's way."""

    def __init__(self, kind):
        self.sensor_id = f"locust-{kind}-{random.randrange(16**12):012x}"

    def value(self):
        return round(20 + 5 * math.sin(time.time() / 10) + random.random(), 2)


class RestDevice(HttpUser):
    """Sends a reading, now and then looks at what is stored."""

    host = "http://127.0.0.1:8000"
    wait_time = between(0.5, 1.5)

    def on_start(self):
        self.device = Device("rest")
        if TOKEN:
            self.client.headers["authorization"] = f"Bearer {TOKEN}"

    @task(10)
    def submit(self):
        reading = {
            "sensor_id": self.device.sensor_id,
            "sensor_type": "temperature",
            "value": self.device.value(),
            "unit": "C",
            "location": "locust",
        }
        with self.client.post("/api/v1/sensors/data", json=reading, catch_response=True) as response:
            if response.status_code == 200 and response.json().get("anomaly_score") is None:
                response.failure("the answer has no score")

    @task(2)
    def latest(self):
        path = f"/api/v1/sensors/data/{self.device.sensor_id}/latest"
        with self.client.get(path, name="/api/v1/sensors/data/[id]/latest", catch_response=True) as response:
            # Before its first reading a sensor is not known.
            if response.status_code == 404:
                response.success()

    @task(1)
    def alerts(self):
        self.client.get("/api/v1/sensors/alerts?limit=10")


class GrpcDevice(User):
    """Sends batches, by a stream of their own each and by unary calls; an answer counts when the batch is settled."""

    wait_time = constant_throughput(1)
    batch = 10

    def on_start(self):
        self.device = Device("grpc")
        self.metadata = [("authorization", f"Bearer {TOKEN}")] if TOKEN else []
        address = GRPC_URL.split("://", 1)[-1]
        secure = GRPC_URL.startswith("https:")
        self.channel = (
            grpc.secure_channel(address, grpc.ssl_channel_credentials()) if secure else grpc.insecure_channel(address)
        )
        self.ingest = ingest_rpc.IngestServiceStub(self.channel)
        self.query = query_rpc.QueryServiceStub(self.channel)

    def on_stop(self):
        self.channel.close()

    def readings(self):
        now = time.time_ns()
        for number in range(self.batch):
            reading = contract.Reading(
                sensor_id=self.device.sensor_id, sensor_type="temperature", unit="C", value=self.device.value()
            )
            reading.observed_at.FromNanoseconds((now // 1000 - (self.batch - number)) * 1000)
            yield reading

    def measured(self, name, call):
        """Tells locust how long a call took, and whether it failed."""
        started = time.perf_counter()
        error = None
        try:
            call()
        except (grpc.RpcError, AssertionError) as failure:
            error = failure
        milliseconds = (time.perf_counter() - started) * 1000
        self.environment.events.request.fire(
            request_type="grpc", name=name, response_time=milliseconds, response_length=0, exception=error, context={}
        )

    @task(10)
    def stream(self):
        request = ingest.StreamReadingsRequest(
            producer=self.device.sensor_id, epoch=time.time_ns() // 1000, sequence=1, readings=self.readings()
        )

        def call():
            settled = 0
            for answer in self.ingest.StreamReadings(iter([request]), metadata=self.metadata, timeout=30):
                settled += answer.counts.accepted + answer.counts.duplicate
            assert settled == self.batch, f"{settled} of {self.batch} readings are settled"

        self.measured("StreamReadings", call)

    @task(2)
    def submit(self):
        request = ingest.SubmitReadingsRequest(readings=self.readings())

        def call():
            answer = self.ingest.SubmitReadings(request, metadata=self.metadata, timeout=30)
            assert answer.counts.accepted == self.batch, f"{answer.counts.accepted} of {self.batch} are accepted"

        self.measured("SubmitReadings", call)

    @task(1)
    def list(self):
        request = query.ListReadingsRequest(sensor_id=self.device.sensor_id, limit=10)
        self.measured("ListReadings", lambda: self.query.ListReadings(request, metadata=self.metadata, timeout=30))


@events.quitting.add_listener
def fail_on_errors(environment, **_):
    """`--headless` ends with 1 where a request failed, so that a pipeline notices."""
    if environment.stats.total.fail_ratio > 0 or environment.stats.total.num_requests == 0:
        environment.process_exit_code = 1
