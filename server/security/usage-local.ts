import type { Clock } from "../clock.ts";
import { sensorMs, type Usage, windowMs } from "./usage.ts";

/** Principals whose rates are counted at once; past it the count begins again, in favour of the callers. */
const maxKeys = 100_000;
/** Principals whose sensors are counted at once; past it the count begins again, in favour of the callers. */
const maxPrincipals = 10_000;

export interface LocalUsage extends Usage {
  /** Sensors of these that are not known, or not since `knownMs`. */
  unknown(who: string, sensors: Iterable<string>, knownMs: number): Set<string>;
  /** Notes sensors as sent now. */
  note(who: string, sensors: Iterable<string>): void;
}

/** Counts what this process sees. */
export function createLocalUsage(clock: Clock): LocalUsage {
  let counts = new Map<string, number>();
  let window = -1;
  const places = new Map<string, number>();
  /** When each sensor was last noted, on the monotonic clock. */
  const sensorsOf = new Map<string, Map<string, number>>();

  const leave = (who: string) => {
    const left = (places.get(who) ?? 1) - 1;
    if (left === 0) places.delete(who);
    else places.set(who, left);
  };
  const unknown = (who: string, sensors: Iterable<string>, knownMs: number) => {
    const since = clock.monotonicMs() - knownMs;
    const known = sensorsOf.get(who);
    const found = new Set<string>();
    for (const id of sensors) if ((known?.get(id) ?? Number.NEGATIVE_INFINITY) <= since) found.add(id);
    return found;
  };
  const note = (who: string, sensors: Iterable<string>) => {
    if (sensorsOf.size >= maxPrincipals && !sensorsOf.has(who)) sensorsOf.clear();
    const known = sensorsOf.get(who) ?? new Map<string, number>();
    sensorsOf.set(who, known);
    for (const id of sensors) known.set(id, clock.monotonicMs());
  };

  return {
    unknown,
    note,
    async add(key, amount) {
      const now = Math.floor(clock.nowUs() / 1_000 / windowMs);
      if (now !== window || counts.size >= maxKeys) counts = new Map();
      window = now;
      const count = (counts.get(key) ?? 0) + amount;
      counts.set(key, count);
      return count;
    },
    async enter(who, limit) {
      const taken = places.get(who) ?? 0;
      if (taken >= limit) return undefined;
      places.set(who, taken + 1);
      let inside = true;
      return () => {
        if (inside) leave(who);
        inside = false;
      };
    },
    async admit(who, sensors, limit, how) {
      const all = new Set(sensors);
      const fresh = unknown(who, all, sensorMs);
      const known = sensorsOf.get(who);
      if (fresh.size > 0 && (known?.size ?? 0) + fresh.size > limit) forget(known, clock.monotonicMs() - sensorMs);
      const room = Math.max(0, limit - (known?.size ?? 0));
      if (fresh.size > room && how === "all") return fresh;
      const refused = new Set([...fresh].slice(room));
      note(
        who,
        [...all].filter((id) => !refused.has(id)),
      );
      return refused;
    },
    ping: async () => {},
    close: () => {},
  };
}

function forget(known: Map<string, number> | undefined, before: number): void {
  for (const [id, at] of known ?? []) if (at <= before) known?.delete(id);
}
