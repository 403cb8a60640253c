import { randomUUID } from "node:crypto";
import type { Redis } from "ioredis";
import type { Clock } from "../clock.ts";
import { pingRedis } from "../lib/redis-client.ts";
import type { Logger } from "../observe/logger.ts";
import { sensorMs, type Usage, windowMs } from "./usage.ts";
import { createLocalUsage } from "./usage-local.ts";

/** A place whose process does not say for so long that it is still taken is free again: it was killed. */
const leaseMs = 15_000;
/** How often a process says so: a beat may be lost, and the next one too. */
const beatsPerLease = 4;
/** A sensor that is sent all the time is noted in Redis this often. */
const noteSensorsMs = 3_600_000;

// By Redis's own clock: those of the replicas may differ. Places are members of a sorted set, scored by when they end.
const enterScript = `
local t = redis.call('time')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('zremrangebyscore', KEYS[1], '-inf', now)
if redis.call('zcard', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('zadd', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('pexpire', KEYS[1], ARGV[3])
return 1`;
const beatScript = `
local t = redis.call('time')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for i = 2, #ARGV do redis.call('zadd', KEYS[1], now + ARGV[1], ARGV[i]) end
redis.call('pexpire', KEYS[1], ARGV[1])`;
const admitScript = `
local t = redis.call('time')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('zremrangebyscore', KEYS[1], '-inf', now)
local room = tonumber(ARGV[1]) - redis.call('zcard', KEYS[1])
local noted = {}
local fresh = {}
local refused = {}
for i = 4, #ARGV do
  if redis.call('zscore', KEYS[1], ARGV[i]) then noted[#noted + 1] = ARGV[i]
  else
    fresh[#fresh + 1] = ARGV[i]
    if #fresh > room then refused[#refused + 1] = ARGV[i] else noted[#noted + 1] = ARGV[i] end
  end
end
if #refused > 0 and ARGV[3] == 'all' then return fresh end
for i = 1, #noted do redis.call('zadd', KEYS[1], now + ARGV[2], noted[i]) end
redis.call('pexpire', KEYS[1], ARGV[2])
return refused`;

/**
 * Counts over all processes that share the Redis; alone with what this process sees while it is out of reach. The connection is
 * closed with it.
 */
export function createRedisUsage(
  redis: Redis,
  clock: Clock,
  logger: Logger,
  { leaseMs: lease = leaseMs }: { readonly leaseMs?: number } = {},
): Usage {
  const local = createLocalUsage(clock);
  const self = randomUUID();
  /** Places taken by this process, by principal. */
  const taken = new Map<string, Set<string>>();
  let number = 0;

  const alone = (error: unknown) => logger.debug({ err: error }, "usage counted locally");
  const release = (who: string, place: string) => {
    const places = taken.get(who);
    places?.delete(place);
    if (places?.size === 0) taken.delete(who);
    redis.zrem(streamsOf(who), place).catch(alone);
  };
  const beat = async () => {
    for (const [who, places] of taken) await redis.eval(beatScript, 1, streamsOf(who), lease, ...places);
  };
  const timer = setInterval(() => void beat().catch(alone), lease / beatsPerLease).unref();

  return {
    async add(key, amount) {
      const own = await local.add(key, amount);
      const name = `telltale:quota:${key}:${Math.floor(clock.nowUs() / 1_000 / windowMs)}`;
      try {
        const answers = await redis
          .multi()
          .incrby(name, amount)
          .pexpire(name, 2 * windowMs)
          .exec();
        return Math.max(own, Number(answers?.[0]?.[1] ?? 0));
      } catch (error) {
        alone(error);
        return own;
      }
    },
    async enter(who, limit) {
      const leave = await local.enter(who, limit);
      if (leave === undefined) return undefined;
      const place = `${self}:${++number}`;
      // Noted first: what is taken while Redis is away is told to it by the beat once it is back.
      taken.set(who, (taken.get(who) ?? new Set()).add(place));
      const back = () => {
        leave();
        release(who, place);
      };
      try {
        if ((await redis.eval(enterScript, 1, streamsOf(who), place, limit, lease)) === 1) return back;
        back();
        return undefined;
      } catch (error) {
        alone(error);
        return back;
      }
    },
    async admit(who, sensors, limit, how) {
      const unknown = local.unknown(who, sensors, noteSensorsMs);
      if (unknown.size === 0) return unknown;
      try {
        const answer = await redis.eval(admitScript, 1, sensorsOf(who), limit, sensorMs, how, ...unknown);
        const refused = new Set(answer as string[]);
        if (refused.size === 0 || how === "some") {
          local.note(
            who,
            [...unknown].filter((id) => !refused.has(id)),
          );
        }
        return refused;
      } catch (error) {
        alone(error);
        // Redis learns of these when they are noted again: until then others' count lacks them, in favour of the caller.
        return local.admit(who, unknown, limit, how);
      }
    },
    async ping(timeoutMs) {
      try {
        await pingRedis(redis, timeoutMs);
      } catch (error) {
        throw new Error(`${(error as Error).message}; each process counts its callers' limits for itself`, {
          cause: error,
        });
      }
    },
    close() {
      clearInterval(timer);
      redis.disconnect();
    },
  };
}

function streamsOf(who: string): string {
  return `telltale:quota:streams:${who}`;
}

function sensorsOf(who: string): string {
  return `telltale:quota:sensors:${who}`;
}
