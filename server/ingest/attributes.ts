/**
 * Attributes on their way to the log. A sender may give them with every reading; the log gets those that are not known to be in it. They
 * are repeated once in a while, since another process may have logged other ones meanwhile.
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { type Attributes, isEmpty } from "../../formats/attributes.ts";
import { SensorAttributesSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { MAX_CACHED_SENSORS } from "./limits.ts";

/** What another process has logged meanwhile is put right after so long, at the latest, while the sender repeats its attributes. */
const REPEAT_AFTER_US = 60_000_000;

/** A sensor's attributes that go into the log. */
export interface Announced {
  readonly fingerprint: number;
  /** When they were handed over, microseconds; NaN until the log has them. */
  loggedUs: number;
}

/**
 * What a process knows to be in the log: of each sensor what it handed over last. Batches are handed over in the order in which the log
 * has them, and an answer of the log that comes late is to one before the last: it says nothing of what holds now.
 */
export class KnownAttributes {
  readonly #last = new Map<string, Announced>();

  has(sensorId: string, fingerprint: number, nowUs: number): boolean {
    const last = this.#last.get(sensorId);
    // Not yet logged: the comparison with NaN is false, and they go along again.
    return last?.fingerprint === fingerprint && Math.abs(nowUs - last.loggedUs) < REPEAT_AFTER_US;
  }

  announce(sensorId: string, fingerprint: number): Announced {
    if (this.#last.size >= MAX_CACHED_SENSORS) this.#last.clear();
    const announced = { fingerprint, loggedUs: Number.NaN };
    this.#last.set(sensorId, announced);
    return announced;
  }
}

/** Those of one batch. */
export class BatchAttributes {
  readonly #known: KnownAttributes;
  readonly #nowUs: number;
  /** The last of each sensor. */
  readonly #announced = new Map<string, Announced>();

  constructor(known: KnownAttributes, nowUs: number) {
    this.#known = known;
    this.#nowUs = nowUs;
  }

  /** The attributes in the form of the log; undefined where it needs none: they are in it, or go there with a reading before this one. */
  toLog(sensorId: string, attributes: Attributes): Uint8Array | undefined {
    if (isEmpty(attributes)) return undefined;
    const fingerprint = fingerprintOf(attributes);
    const before = this.#announced.get(sensorId);
    const isKnown =
      before === undefined ? this.#known.has(sensorId, fingerprint, this.#nowUs) : before.fingerprint === fingerprint;
    if (isKnown) return undefined;
    this.#announced.set(sensorId, this.#known.announce(sensorId, fingerprint));
    return toBinary(SensorAttributesSchema, create(SensorAttributesSchema, { attributes }));
  }

  /** The batch is in the log. */
  logged(): void {
    for (const announced of this.#announced.values()) announced.loggedUs = this.#nowUs;
  }
}

/** Of attributes that cannot change, which some senders' readings share. */
const FINGERPRINTS = new WeakMap<Attributes, number>();

function fingerprintOf(attributes: Attributes): number {
  const known = FINGERPRINTS.get(attributes);
  if (known !== undefined) return known;
  const fingerprint = computeFingerprint(attributes);
  if (Object.isFrozen(attributes)) FINGERPRINTS.set(attributes, fingerprint);
  return fingerprint;
}

/** 53 bits of two FNV-1a hashes, in the order in which the entries came: another order is another fingerprint, and costs one repetition. */
function computeFingerprint(attributes: Attributes): number {
  let a = 0x811c9dc5;
  let b = 0x01000193;
  const mix = (text: string) => {
    for (let i = 0; i < text.length; i++) {
      const c = text.charCodeAt(i);
      a = Math.imul(a ^ c, 0x01000193);
      b = Math.imul(b ^ c, 0x85ebca6b);
    }
    a = Math.imul(a ^ 0x10000, 0x01000193);
    b = Math.imul(b ^ 0x10000, 0x85ebca6b);
  };
  for (const key in attributes) {
    mix(key);
    mix(attributes[key]!);
  }
  return (a >>> 0) * 2 ** 21 + (b >>> 11);
}
