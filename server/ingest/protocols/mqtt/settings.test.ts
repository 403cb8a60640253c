import { expect, test } from "vitest";
import { loadMqttSettings } from "./settings.ts";

const URL_SET = { MQTT_URL: "mqtt://broker.example" };

test("without an address there is no broker", () => expect(loadMqttSettings({ MQTT_TOPICS: "a/#" })).toBeUndefined());

test("an address brings the port of its scheme, and the user and password that stand in it", () => {
  expect(loadMqttSettings({ MQTT_URL: "mqtts://line%203:p%40ss@[::1]" })).toMatchObject({
    ...{ host: "::1", port: 8883, tls: true, username: "line 3", password: "p@ss" },
    ...{
      version: 5,
      topics: ["telltale/#"],
      maxInFlight: 2_000,
      discoveryPrefix: undefined,
      sparkplugHostId: undefined,
    },
  });
  const own = { MQTT_URL: "mqtt://a:b@broker:1884", MQTT_USERNAME: "c", MQTT_PASSWORD: "d", MQTT_VERSION: "3.1.1" };
  expect(loadMqttSettings(own)).toMatchObject({ port: 1884, username: "c", password: "d", version: 4 });
});

test.each([
  [
    { MQTT_URL: "mqtt://broker:x" },
    /MQTT_URL is "mqtt:\/\/broker:x", but .* mqtt:\/\/HOST:PORT, with a number as port/,
  ],
  [{ MQTT_URL: "http://broker" }, /MQTT_URL is "http:\/\/broker", but it must be an address that begins with mqtt:/],
  [{ MQTT_URL: "mqtt://user:secret@broker/path" }, /^(?!.*secret).*MQTT_URL has no host, or a path behind it/],
  [{ ...URL_SET, MQTT_CA_FILE: "ca.pem" }, /MQTT_CA_FILE is set, which needs an MQTT_URL of mqtts/],
  [{ ...URL_SET, MQTT_CERT_FILE: "c.pem" }, /MQTT_CERT_FILE and MQTT_KEY_FILE belong together/],
  [{ ...URL_SET, MQTT_PASSWORD: "a", MQTT_PASSWORD_FILE: "b" }, /are both set: set one of them/],
  [{ ...URL_SET, MQTT_TOPICS: "a/#/b" }, /MQTT_TOPICS is "a\/#\/b", but it must be .* has "#" before its last level/],
  [{ ...URL_SET, MQTT_VERSION: "4" }, /MQTT_VERSION is "4", but it must be 5 or 3\.1\.1/],
  [{ ...URL_SET, MQTT_MAX_IN_FLIGHT: "0" }, /MQTT_MAX_IN_FLIGHT is "0", but it must be a whole number from 1/],
  [{ ...URL_SET, MQTT_MAX_IN_FLIGHT: "65535" }, /MQTT_MAX_IN_FLIGHT is "65535", but it must be .* to 32767/],
  [{ ...URL_SET, MQTT_SHARED_GROUP: "a/b" }, /MQTT_SHARED_GROUP is "a\/b", but it must be a name without/],
  [{ ...URL_SET, MQTT_DISCOVERY: "ha" }, /MQTT_DISCOVERY is "ha", but it must be one of none, homeassistant/],
  [{ ...URL_SET, MQTT_DISCOVERY_PREFIX: "a/" }, /MQTT_DISCOVERY_PREFIX is "a\/", but it must be a topic/],
  [{ ...URL_SET, MQTT_SPARKPLUG_HOST_ID: "a+" }, /MQTT_SPARKPLUG_HOST_ID is "a\+", but it must be a name without/],
])("%o is refused with a sentence", (environment, sentence) =>
  expect(() => loadMqttSettings(environment)).toThrow(sentence),
);
