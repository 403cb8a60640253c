/** What a broker answers by number, in words for people. */

/** CONNACK of MQTT 3.1.1. */
const RETURN_CODES: Readonly<Record<number, string>> = {
  1: "it does not speak this version of MQTT: set MQTT_VERSION to another",
  2: "it does not take the client id",
  3: "it is unavailable",
  4: "the user name or password is wrong",
  5: "this client is not authorized",
};

/** CONNACK, SUBACK and DISCONNECT of MQTT 5. */
const REASON_CODES: Readonly<Record<number, string>> = {
  128: "unspecified error",
  130: "protocol error",
  132: "it does not speak this version of MQTT: set MQTT_VERSION to another",
  133: "it does not take the client id",
  134: "the user name or password is wrong",
  135: "not authorized",
  136: "it is unavailable",
  137: "it is busy",
  138: "this client is banned",
  139: "it is shutting down",
  141: "nothing was heard of this client for too long",
  142: "another client has connected with the same client id: give each replica its own MQTT_CLIENT_ID",
  143: "it does not take the topic filter",
  147: "more messages were on their way than it was told",
  149: "a packet was too large",
  151: "a quota is used up",
  152: "an administrator has ended the connection",
  156: "it says to use another server",
  157: "the server has moved",
  158: "it does not support shared subscriptions: leave MQTT_SHARED_GROUP out",
  159: "connections come too often",
};

export function reasonText(code: number, version: 4 | 5): string {
  const known = version === 4 && code < 128 ? RETURN_CODES[code] : REASON_CODES[code];
  return known === undefined ? `reason ${code}` : `${known} (reason ${code})`;
}
