"""Publishes with QoS 1 by Eclipse Paho, one message after another: python paho_publisher.py PORT"""

import json
import time

import paho.mqtt.client as mqtt
from until_closed import PACE_S, address, closed, stored

client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="paho", clean_session=False)
client.connect("127.0.0.1", int(address))
client.loop_start()
start = int(time.time() * 1000) - 3_600_000
count = 0
while not closed.wait(PACE_S):
    count += 1
    at = start + count
    client.publish("telltale/paho", json.dumps({"value": count, "timestamp": at}), qos=1).wait_for_publish()
    stored(at * 1000, count)
client.disconnect()
client.loop_stop()
