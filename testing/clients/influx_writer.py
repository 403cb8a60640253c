"""Writes by InfluxData's client, each point until it is taken: python influx_writer.py URL"""

import time

from influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from until_closed import PACE_S, address, closed, stored
from urllib3.exceptions import HTTPError

writer = InfluxDBClient(url=address, token="none", org="plant").write_api(write_options=SYNCHRONOUS)
start = int(time.time() * 1000) - 3_600_000
count = 0
while not closed.wait(PACE_S):
    count += 1
    at = start + count
    while True:
        try:
            writer.write(bucket="plant", record=f"influx count={count}i {at}", write_precision="ms")
            break
        except (ApiException, HTTPError):
            time.sleep(0.05)
    stored(at * 1000, count)
