/**
 * The packet ids of a session that the broker may send again. A message that it does send again, because an acknowledgement was lost with
 * the connection, keeps the time of its first arrival: its readings are then duplicates, which change nothing. Pure.
 */
import type { IPublishPacket } from "mqtt-packet";
import { MAX_PACKET_IDS } from "./limits.ts";

interface Known {
  readonly fingerprint: number;
  readonly arrivedUs: number;
  /** Pings sent when it was acknowledged; undefined before that. */
  ackedAt: number | undefined;
}

export class PacketMemory {
  readonly #known = new Map<number, Known>();
  /** The time of the last arrival: no two messages have the same, or the second reading of a sensor would conflict with the first. */
  #lastUs = 0;

  get size(): number {
    return this.#known.size;
  }

  /** When the message first arrived, microseconds since 1970. */
  arrival(packet: IPublishPacket, nowUs: number): number {
    if (packet.messageId === undefined || packet.qos === 0) return this.#next(nowUs);
    const fingerprint = fingerprintOf(packet);
    if (packet.dup) {
      const before = this.#known.get(packet.messageId);
      if (before?.fingerprint === fingerprint) {
        before.ackedAt = undefined;
        return before.arrivedUs;
      }
    }
    const arrivedUs = this.#next(nowUs);
    if (packet.messageId <= MAX_PACKET_IDS) {
      this.#known.set(packet.messageId, { fingerprint, arrivedUs, ackedAt: undefined });
    }
    return arrivedUs;
  }

  /** @param pings sent so far */
  acknowledged(ids: readonly number[], pings: number): void {
    for (const id of ids) {
      const known = this.#known.get(id);
      if (known !== undefined) known.ackedAt = pings;
    }
  }

  /** The broker has answered the ping: what was acknowledged before it, it sends no more, and its id may be another message's. */
  confirmed(ping: number): void {
    for (const [id, { ackedAt }] of this.#known) {
      if (ackedAt !== undefined && ackedAt < ping) this.#known.delete(id);
    }
  }

  /** The broker knows nothing of the session any more. */
  clear(): void {
    this.#known.clear();
  }

  #next(nowUs: number): number {
    this.#lastUs = Math.max(nowUs, this.#lastUs + 1);
    return this.#lastUs;
  }
}

/** 53 bits of two FNV-1a hashes over topic and payload. */
function fingerprintOf({ topic, payload }: IPublishPacket): number {
  let a = 0x811c9dc5;
  let b = 0x01000193;
  const mix = (unit: number) => {
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(b ^ unit, 0x85ebca6b);
  };
  for (let i = 0; i < topic.length; i++) mix(topic.charCodeAt(i));
  mix(0x10000);
  if (typeof payload === "string") for (let i = 0; i < payload.length; i++) mix(payload.charCodeAt(i));
  else for (let i = 0; i < payload.length; i++) mix(payload[i]!);
  return (a >>> 0) * 2 ** 21 + (b >>> 11);
}
