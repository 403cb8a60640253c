/** Limits of what is taken from a broker, each with its reason. */

/** Of one message. Readings are small; what is larger is a picture or a file under a topic that was not meant. */
export const MAX_PAYLOAD_BYTES: number = 256 * 1024;
/** Of one packet, said to a broker that speaks MQTT 5: it keeps larger ones back. Room for the topic beside the payload. */
export const MAX_PACKET_BYTES: number = MAX_PAYLOAD_BYTES + 128 * 1024;
/** Readings that one message may become. */
export const MAX_READINGS_OF_A_MESSAGE = 1_000;
/** Bytes of messages in hand. Past it the connection is not read. */
export const MAX_HELD_BYTES: number = 32 * 1024 * 1024;
/** Readings handed over at once; the ingestor takes 10,000 of a batch. */
export const MAX_BATCH_READINGS = 8_000;
/** Names and levels of a topic filter. */
export const MAX_TOPIC_LEVELS = 32;
/** Rules of a mapping file, and readings of one rule. */
export const MAX_RULES = 1_000;
export const MAX_RULE_READINGS = 100;
/** Packet ids are 16 bits: no session has more messages on their way. */
export const MAX_PACKET_IDS = 65_535;
/**
 * Of MQTT_MAX_IN_FLIGHT. Twice as many may be in hand: those of a lost connection, and the same again. That is fewer than there are ids, so
 * that neither limit is one that a broker meets by having no id left.
 */
export const MAX_IN_FLIGHT: number = Math.floor((MAX_PACKET_IDS - 1) / 2);
/** How long the broker may take for its answer to CONNECT or SUBSCRIBE. */
export const ANSWER_MS = 10_000;
/** The first pause before connecting again; each next one is twice as long, half of it random. */
export const FIRST_PAUSE_MS = 500;
export const LONGEST_PAUSE_MS = 30_000;
/** A connection that held for so long was a good one: the pauses begin anew. */
export const STEADY_MS = 10_000;
/** The pauses before readings that could not be stored are handed over again. */
export const FIRST_RETRY_MS = 100;
export const LONGEST_RETRY_MS = 5_000;
