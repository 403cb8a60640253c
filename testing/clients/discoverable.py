"""A press that describes itself by ha-mqtt-discoverable, and counts: python discoverable.py PORT"""

import paho.mqtt.client as mqtt
from ha_mqtt_discoverable import DeviceInfo, Settings
from ha_mqtt_discoverable.sensors import BinarySensor, BinarySensorInfo, Sensor, SensorInfo
from until_closed import PACE_S, address, closed

client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
client.connect("127.0.0.1", int(address))
client.loop_start()
device = DeviceInfo(name="Press 3", identifiers="press3", manufacturer="Works", model="P 3")


def settings(entity, manual=False):
    return Settings(mqtt=Settings.MQTT(client=client), entity=entity, manual_availability=manual)


oil = Sensor(
    settings(
        SensorInfo(
            name="Oil",
            unique_id="press3_oil",
            device=device,
            device_class="temperature",
            unit_of_measurement="°C",
            state_class="measurement",
            expire_after=60,
            value_template="{{ value | float(0) }}",
        ),
        manual=True,
    )
)
running = BinarySensor(settings(BinarySensorInfo(name="Running", unique_id="press3_running", device=device)))
oil.set_availability(True)
count = 0
while not closed.wait(PACE_S):
    count += 1
    oil.set_state(count / 2)
    running.on() if count % 2 else running.off()
client.disconnect()
client.loop_stop()
